"""What a user says of a recording's file on the command line, checked."""

from collections.abc import Sequence

from pipelines.errors import ConfigurationError
from simulator.replay_columns import QUANTITIES, UNITS
from simulator.replay_csv import CsvForm


def csv_form(
    columns: Sequence[str],
    time_unit: str | None,
    acc_unit: str | None,
    gyro_unit: str | None,
    mag_unit: str | None,
) -> CsvForm:
    """Return the form; each of ``columns`` is QUANTITY=TITLE.

    Raises:
        ConfigurationError: there is no such quantity or unit.
    """
    named = {}
    for text in columns:
        quantity, equals, title = text.partition("=")
        if not equals or quantity not in QUANTITIES:
            raise ConfigurationError(
                f"--column {text}: give QUANTITY=TITLE; quantities are {', '.join(QUANTITIES)}"
            )
        named[quantity] = title
    units = {"time": time_unit, "acc": acc_unit, "gyro": gyro_unit, "mag": mag_unit}
    for quantity, unit in units.items():
        if unit is not None and unit not in UNITS[quantity]:
            raise ConfigurationError(
                f"--{quantity}-unit {unit}: must be one of {', '.join(UNITS[quantity])}"
            )
    return CsvForm(named, time_unit, acc_unit, gyro_unit, mag_unit)
