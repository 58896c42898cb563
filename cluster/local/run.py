"""Runs some of the servers in the foreground, for trying things against them.

Example: ``python -m cluster.local.run --state /tmp/mine --free-ports kafka mosquitto``
"""

import argparse
import shlex
import signal
import sys
from pathlib import Path

from cluster.local.interrupts import ignore_signals, signals_as_interrupt
from cluster.local.ports import settings_on_free_ports
from cluster.local.settings_environment import differing_environment
from cluster.local.stack import EVERY_PART, Stack
from pipelines.errors import ImustreamError
from pipelines.settings import Settings, load_settings


def main() -> int:
    """Start the parts, print the variables that point at them, stop them on Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(EVERY_PART))
    parser.add_argument("--state", type=Path, required=True, help="folder for data and logs")
    parser.add_argument("--free-ports", action="store_true", help="any free ports")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    arguments = parser.parse_args()
    own = {"state_dir": arguments.state, "brokers": arguments.brokers}
    settings = (
        settings_on_free_ports(arguments.state, local={"brokers": arguments.brokers})
        if arguments.free_ports
        else load_settings(local=own)
    )
    unknown = set(arguments.parts) - set(EVERY_PART)
    if unknown:
        parser.error(
            f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(EVERY_PART)}"
        )
    return _serve(Stack(settings, arguments.parts or None))


def _serve(stack: Stack) -> int:
    with signals_as_interrupt():
        try:
            stack.up()
            for key, value in differing_environment(stack.settings, Settings()).items():
                print(f"export {key}={shlex.quote(value)}", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            return 0
        except ImustreamError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        finally:
            ignore_signals()
            stack.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
