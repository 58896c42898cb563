"""Which rows advance the model's state of their sensor, and where that state begins at zero.

This is decided by numbers alone, before anything is inferred: so it is the same however the input
is cut into batches and whatever the model says.
"""

from typing import Any, Final

import numpy as np

from pipelines.compiled import compiled
from pipelines.operators.inference_layout import COUNTS, NONE, PREDICTED, SKIPPED

_TICKS: Final = COUNTS.index("ticks")
_FAR_PAST_US: Final = -(2**62)


@compiled
def select_rows(
    sensors: Any, counts: Any, rules: Any, samples: Any, verdict: Any, at_zero: Any
) -> int:
    """Judge the rows of a batch in order, and move their sensors on.

    Args:
        sensors: ``(s,) SENSOR``.
        counts: ``(len(COUNTS),)``; the ticks before this batch are read.
        rules: :class:`pipelines.operators.inference_layout.Rules`.
        samples: :class:`pipelines.operators.inference_layout.Samples`.
        verdict: ``(m,)`` is set to PREDICTED or SKIPPED.
        at_zero: ``(m,)`` is set where the model's state begins at zero with this row.

    Returns how many windows these rows may begin.
    """
    ticks = counts[_TICKS]
    windows = 0
    latest_us = np.full(len(sensors), _FAR_PAST_US, np.int64)
    for record in range(len(samples.tick)):
        if samples.tick[record]:
            ticks += 1
            for of in sensors:
                if of.seen_tick != NONE and ticks - of.seen_tick >= rules.forget_ticks:
                    _forget(of)
            continue
        for row in range(samples.first_row[record], samples.first_row[record + 1]):
            of = sensors[samples.sensor[row]]
            boot, index = samples.boot[row], samples.sample_index[row]
            of.seen_tick = ticks
            new_boot = boot > of.boot
            if not new_boot and (boot < of.boot or index <= of.last_index):
                verdict[row] = SKIPPED
                at_zero[row] = False
                continue
            gap = index - of.last_index - 1
            verdict[row] = PREDICTED
            at_zero[row] = of.at_zero or new_boot or gap > rules.reset_gap_samples
            of.boot = boot
            of.last_index = index
            of.at_zero = 0
            start_us = samples.timestamp_us[row] // rules.window_us * rules.window_us
            if new_boot or start_us != latest_us[samples.sensor[row]]:
                windows += 1
                latest_us[samples.sensor[row]] = start_us
    return windows


@compiled
def _forget(sensor: Any) -> None:
    sensor.boot = NONE
    sensor.last_index = NONE
    sensor.seen_tick = NONE
    sensor.at_zero = 1
