"""Kubernetes' quantities as numbers."""

import re
from typing import Final

_UNITS: Final = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


def number(quantity: str | float) -> float:
    """Return ``500m`` as 0.5, ``2Gi`` as 2147483648."""
    match = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(quantity))
    assert match is not None, quantity
    return float(match.group(1)) * _UNITS[match.group(2)]
