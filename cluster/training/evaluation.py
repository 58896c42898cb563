"""The figures of the model card: the exported model on held-out bodies, beside simpler answers."""

from typing import Final

import numpy as np

from cluster.training.bodies import RATE_HZ, Bodies
from cluster.training.scaling import Scaling
from cluster.training.scores import accuracy, auc, rmse
from cluster.training.strapdown import levelled_speed, naive_speed
from cluster.training.streaming import stream
from simulator.motion import ACTIVITIES

LONG_S: Final = 600.0
"""How long the sequences are on which drift is looked for."""
_MINUTE: Final = round(60 * RATE_HZ)
_LONG_BODIES: Final = 8

Metrics = dict[str, float]


def evaluate(model: bytes, scaling: Scaling, held_out: Bodies, mean_speed_m_s: float) -> Metrics:
    """Return the figures on held-out bodies of mixed motion, one loop each, from a zero state.

    mean_speed_m_s: the constant that answers best without looking, from the training bodies
    """
    found = stream(model, scaling.apply(held_out.features))
    velocity, probability = found[..., 0], found[..., 1]
    true, moving = held_out.speed_m_s, held_out.moving
    metrics = {
        "velocity_rmse_m_s": rmse(velocity, true),
        "zero_rmse_m_s": rmse(np.zeros_like(true), true),
        "mean_rmse_m_s": rmse(np.full_like(true, mean_speed_m_s), true),
        "strapdown_rmse_m_s": rmse(naive_speed(held_out, RATE_HZ), true),
        "levelled_strapdown_rmse_m_s": rmse(levelled_speed(held_out, RATE_HZ), true),
        "velocity_bias_m_s": float(np.mean(velocity.astype(np.float64) - true)),
        "moving_accuracy": accuracy(probability, moving),
        "moving_auc": auc(probability, moving),
        "moving_share": float(moving.mean()),
    }
    for number, activity in enumerate(ACTIVITIES):
        of = held_out.activity == number
        metrics[f"velocity_rmse_{activity}_m_s"] = rmse(velocity[of], true[of])
    return {
        name: round(value, 4)
        for name, value in (metrics | _drift(model, scaling, held_out)).items()
    }


def _drift(model: bytes, scaling: Scaling, held_out: Bodies) -> Metrics:
    """Return the error in the first and in the last minute of ten, state carried throughout."""
    loops = round(LONG_S * RATE_HZ / held_out.speed_m_s.shape[1])
    loops = max(loops, 1)
    few = scaling.apply(held_out.features[:_LONG_BODIES])
    found = stream(model, np.tile(few, (1, loops, 1)))[..., 0]
    true = np.tile(held_out.speed_m_s[:_LONG_BODIES], (1, loops))
    return {
        "first_minute_rmse_m_s": rmse(found[:, :_MINUTE], true[:, :_MINUTE]),
        "tenth_minute_rmse_m_s": rmse(found[:, -_MINUTE:], true[:, -_MINUTE:]),
    }
