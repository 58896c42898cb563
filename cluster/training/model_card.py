"""MODEL_CARD.md: what a model is for, what it was made from, how good it is and where it fails.

Every figure comes from the facts that the training run measured.
"""

from typing import Any

from cluster.training.bodies import MOVING_M_S
from cluster.training.mounting import MAX_ACC_BIAS_G, MAX_GYRO_BIAS_RAD_S, MAX_TILT_RAD
from cluster.training.strapdown import STILL_S
from simulator.motion import ACTIVITIES

_DEGREES_PER_RAD = 57.29577951308232


def model_card(model: dict[str, Any]) -> str:
    """Return the card as Markdown; ``model`` is the content of model.json."""
    parts = (_head(model), _data(model), _training(model), _figures(model["metrics"]), _limits())
    return "\n\n".join(parts) + "\n"


def _head(model: dict[str, Any]) -> str:
    features = ", ".join(f"`{name}`" for name in model["features"])
    return f"""# {model["name"]} {model["version"]}

{model["description"]}

- **Answers**, for every sample: `velocity`, the magnitude of the body's velocity in m/s (0 or
  more), and `moving_probability` (0 to 1): that the body walks or runs, or that its speed is above
  {MOVING_M_S} m/s.
- **Features**: {features} of `sensor-data-transformed` at {model["sample_rate_hz"]:g} Hz,
  scaled by `scaling.json`. The magnetometer is not used.
- **Network**: one LSTM of {model["hidden_units"]} units (ONNX, opset 18, state in and out) and a
  dense layer: softplus for the velocity, sigmoid for moving.
- **SHA-256** of `model.onnx`: `{model["sha256"]}`
- **Licence**: {model["license"]}, for the weights and the code that made them."""


def _data(model: dict[str, Any]) -> str:
    plan = model["training"]
    return f"""## Data

All of it is simulated (`simulator/motion.py`); no recording of a person was used. A body rests,
walks, runs, jumps and turns along one smooth trajectory, from which velocity and ideal readings
follow exactly. {plan["mixed_share"]:.0%} of the training bodies do everything in turn within
{plan["loop_s"]:g} s; the others do one thing throughout. On each body a sensor is mounted at any
heading and up to {MAX_TILT_RAD * _DEGREES_PER_RAD:.0f} degrees from upright, with a constant bias
of up to {MAX_ACC_BIAS_G:g} g and {MAX_GYRO_BIAS_RAD_S * _DEGREES_PER_RAD:.1f} degrees/s on each
axis. Readings get the simulator's white noise, are rounded to the frame's int16 counts, and go
through sensor_processing itself.

| split | bodies | used for |
|---|---|---|
| training | {plan["bodies"]} | the gradient, the scaling, the mean speed |
| validation | {plan["validation_bodies"]} | which weights are kept |
| held out | {plan["held_out"]} | the figures below, once; all of mixed motion |

No body is in two splits, and none is one that `imustream simulate` shows."""


def _training(model: dict[str, Any]) -> str:
    plan = model["training"]
    return f"""## Training

It is made again by

    imustream train --seed {plan["seed"]} --hidden-units {plan["hidden_units"]} \
        --bodies {plan["bodies"]} --updates {plan["updates"]} --output FOLDER

with the same data, and on the same machine with the same libraries the same weights.

Adam with a cosine schedule from {plan["learning_rate"]:g}, {plan["updates"]} updates of
{plan["lanes"]} sequences of {plan["steps"]} samples ({plan["hours_seen"]:g} hours of motion seen).
Back-propagation is cut at the sequence; the state is carried on to the next, so that the network
learns to run for hours. Loss: squared error of the velocity (m2/s2) plus 0.2 times the
cross-entropy of moving. The weights kept are those with the lowest loss on the validation bodies,
which is taken every {plan["validate_every"]} updates."""


def _figures(found: dict[str, float]) -> str:
    rows = [
        ("**this model**", "velocity_rmse_m_s"),
        ("always the mean speed of training", "mean_rmse_m_s"),
        ("always zero", "zero_rmse_m_s"),
        ("strapdown, levelled and calibrated at rest", "levelled_strapdown_rmse_m_s"),
        ("strapdown, naive", "strapdown_rmse_m_s"),
    ]
    table = "\n".join(f"| {title} | {found[name]:.3f} |" for title, name in rows)
    by_activity = "\n".join(
        f"| {activity} | {found[f'velocity_rmse_{activity}_m_s']:.3f} |" for activity in ACTIVITIES
    )
    return f"""## Figures on held-out bodies

Root mean squared error of the velocity in m/s, over whole loops from a state of zero:

| answer | RMSE m/s |
|---|---|
{table}

Naive strapdown starts at rest with the *true* attitude, turns it by the gyroscope (trapezoidal
rule, Rodrigues' rotations), takes gravity off in the world's axes and integrates what is left.
The calibrated one knows no truth, but averages the first {STILL_S} s of rest: the gyroscope's mean
is its bias, the accelerometer's direction levels the attitude, its length is gravity.

| during | RMSE m/s |
|---|---|
{by_activity}

- Mean error (bias): {found["velocity_bias_m_s"]:+.4f} m/s.
- Moving: accuracy {found["moving_accuracy"]:.4f} at 0.5, AUC {found["moving_auc"]:.4f}; always
  saying the more frequent answer has {max(found["moving_share"], 1 - found["moving_share"]):.4f}.
- Ten minutes without a reset: RMSE {found["first_minute_rmse_m_s"]:.3f} m/s in the first minute,
  {found["tenth_minute_rmse_m_s"]:.3f} m/s in the tenth."""


def _limits() -> str:
    return """## Limits

- Simulated gaits only: a trunk-mounted sensor at the simulator's cadences and speeds (walk about
  1.35 m/s, run about 3.2 m/s, each +-15 %). On real people the figures above do not hold; on a
  wrist the velocity is a rough guess. Retrain with ground truth of your own before relying on it.
- A simulated gait has its pace drawn apart from its cadence and its bounce, so that a steady pace
  hardly shows in the readings: most of the error while walking or running is that.
- No vehicles, lifts, stairs, cycling or swimming, and nothing about direction or position.
- Trained at 200 Hz; at another sample rate its answers mean nothing.
- Not for medical or safety decisions."""
