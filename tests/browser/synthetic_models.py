"""Synthetic versions of the velocity model."""

from typing import Any

from synthetic_world import World

BASE = {
    "velocity_rmse_m_s": 0.1941, "zero_rmse_m_s": 1.8554, "mean_rmse_m_s": 1.3079,
    "velocity_bias_m_s": 0.0199, "moving_accuracy": 0.9958, "moving_auc": 0.9999,
    "moving_share": 0.6166, "velocity_rmse_rest_m_s": 0.0715, "velocity_rmse_walk_m_s": 0.144,
    "velocity_rmse_run_m_s": 0.3298, "first_minute_rmse_m_s": 0.1937,
    "tenth_minute_rmse_m_s": 0.1935,
}  # fmt: skip


def version(number: int) -> dict[str, Any]:
    """One version: the later, the better at walking and the worse at running."""
    metrics = {name: round(value * (1 + 0.02 * number), 4) for name, value in BASE.items()}
    metrics["velocity_rmse_walk_m_s"] = round(0.144 - 0.01 * number, 4)
    metrics["moving_auc"] = 0.9999
    metrics["moving_accuracy"] = round(0.99 + 0.002 * number, 4)
    return {
        "version": str(number), "sha256": f"{number:02x}" + "9cc78e3bfe717dbad33b3900649f2d" * 2,
        "features": ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"],
        "hidden_units": 32, "sequence_length": 400, "sample_rate_hz": 200.0,
        "description": "Speed of a body (m/s) and whether it moves, sample by sample.",
        "license": "Apache-2.0", "metrics": metrics,
        "training": {"seed": number, "bodies": 1024, "updates": 1500, "hours_seen": 53.3},
    }  # fmt: skip


def models(world: World) -> dict[str, Any]:
    """All models as the api gives them."""
    if not world.models:
        return {"models": []}
    found = [version(number) for number in (1, 2, 3)]
    return {
        "models": [
            {
                "name": "velocity",
                "stable": world.stable,
                "candidate": "3",
                "previous": "1",
                "versions": found,
            }
        ]
    }
