"""The smart-watch recordings that the PyPI package `seglearn` ships.

140 recordings at 50 Hz of ten people who did seven shoulder exercises with a watch on the wrist
(Burns et al. 2018, https://arxiv.org/abs/1802.01489). The package is under the BSD 3-Clause
licence and says of its data nothing else but a wish to be cited; imustream ships none of it.

Its documentation names no units. They are the watch's: acceleration in g (the median magnitude
of a recording is about 1) and rates in rad/s (arms that swing 90 degrees in a second reach 2 to
29 in these numbers). There is no
magnetometer and no temperature: the field is sent as zero, the temperature as the simulator's.
"""

from typing import Final

import numpy as np

from pipelines.errors import ToolMissingError
from simulator.readings import TEMPERATURE_COUNTS
from simulator.recording import NO_FIELD_GAUSS, Recording

RATE_HZ: Final = 50.0
LICENSE: Final = "BSD-3-Clause (seglearn; Burns et al. 2018, arXiv:1802.01489)"


def seglearn_recordings() -> list[Recording]:
    """Return the 140 recordings, so ordered that seven in a row are seven exercises.

    Raises:
        ToolMissingError: the package is not installed.
    """
    try:
        from seglearn.datasets import load_watch  # noqa: PLC0415 - only a replay of it needs it
    except ImportError as error:
        raise ToolMissingError(
            f"--replay seglearn needs the package of that name ({error}): pip install seglearn"
        ) from None
    data = load_watch()
    labels = [str(label) for label in data["y_labels"]]
    exercises = np.asarray(data["y"])
    turn = np.array([(exercises[:i] == exercises[i]).sum() for i in range(len(exercises))])
    return [
        Recording(
            f"seglearn subject {data['subject'][i]} {labels[exercises[i]]} #{i}",
            np.arange(len(data["X"][i])) / RATE_HZ,
            np.hstack([data["X"][i], np.tile(NO_FIELD_GAUSS, (len(data["X"][i]), 1))]),
            np.full(len(data["X"][i]), float(TEMPERATURE_COUNTS)),
        )
        for i in np.lexsort((exercises, turn)).tolist()
    ]
