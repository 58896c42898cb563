"""`imustream train`: make a velocity model from the simulator's ground truth, and measure it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cluster.training.fit import Step

_EXAMPLE = (
    "Example: imustream train --output velocity-2 --seed 1 --version 2 && "
    "imustream models push velocity-2"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(train)


def train(
    output: Annotated[
        Path, typer.Option(help="Folder for model.onnx, scaling.json, model.json, MODEL_CARD.md.")
    ],
    name: Annotated[str, typer.Option(help="The model's name.")] = "velocity",
    version: Annotated[str, typer.Option(help="Its version: digits.")] = "1",
    seed: Annotated[int, typer.Option(help="The same seed gives the same data and weights.")] = 0,
    hidden_units: Annotated[int, typer.Option(help="Units of the LSTM.")] = 32,
    bodies: Annotated[int, typer.Option(help="Simulated bodies to train on.")] = 1_024,
    updates: Annotated[int, typer.Option(help="Updates of the weights.")] = 1_500,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a velocity model on simulated motion, and report it against simpler answers.

    Needs the extra `train`. It takes minutes on one core; one thread, so that it can be repeated.
    """
    import json

    from cluster.training.plan import Plan
    from cluster.training.run import train as run
    from pipelines.errors import ConfigurationError

    if not version.isdigit():
        raise ConfigurationError(f"--version {version}: a version is digits, such as 2")
    plan = Plan(seed=seed, hidden_units=hidden_units, bodies=bodies, updates=updates)
    trained = run(plan, output, name, version, _told)
    if as_json:
        typer.echo(json.dumps(trained.metrics))
        return
    found = trained.metrics
    typer.echo(
        f"{output}: velocity RMSE {found['velocity_rmse_m_s']:.3f} m/s on held-out bodies "
        f"(zero {found['zero_rmse_m_s']:.3f}, mean {found['mean_rmse_m_s']:.3f}, calibrated "
        f"strapdown {found['levelled_strapdown_rmse_m_s']:.3f}); moving accuracy "
        f"{found['moving_accuracy']:.3f}, AUC {found['moving_auc']:.4f}"
    )


def _told(step: "Step") -> None:
    """Say how far it is, on standard error."""
    typer.echo(
        f"update {step.update}: loss {step.loss:.3f}, on validation {step.validation_loss:.3f}",
        err=True,
    )
