"""`python -m tests.kubernetes.commits`: tell each second how far sensor_processing is.

A line is the sum of the offsets in its ledgers: what its slots have committed, 0 before the first.
"""

import time

from pipelines.changelog import read_changelog
from pipelines.errors import ImustreamError
from pipelines.settings import load_settings
from pipelines.topics import PARTITIONS, SENSOR_PROCESSING_CHANGELOG


def main() -> None:
    """Tell for ever."""
    settings = load_settings()
    while True:
        try:
            saved = read_changelog(settings.kafka, SENSOR_PROCESSING_CHANGELOG, range(PARTITIONS))
        except ImustreamError:
            saved = {}  # The topics are not there yet.
        ledgers = [one.ledger for one in saved.values() if one.ledger is not None]
        print(sum(ledger.next_offset for ledger in ledgers), flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
