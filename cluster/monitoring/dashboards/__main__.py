"""`python -m cluster.monitoring.dashboards`: write each dashboard's JSON anew.

It needs the extra `dev`. Grafana reads what it writes by the files in ``../provisioning``.
"""

from pathlib import Path
from typing import Final

from cluster.monitoring.dashboards.catalogue import BOARDS
from cluster.monitoring.dashboards.grafana import dashboard_json

GENERATED: Final = Path(__file__).with_name("generated")


def write(folder: Path) -> None:
    """Write all of them, and delete those that there are no longer."""
    folder.mkdir(exist_ok=True)
    written = {folder / f"{board.uid}.json": dashboard_json(board) for board in BOARDS}
    for old in set(folder.glob("*.json")) - written.keys():
        old.unlink()
    for path, text in written.items():
        path.write_text(text)


if __name__ == "__main__":
    write(GENERATED)
