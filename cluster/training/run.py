"""A training run from its plan to the files of a model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.training.bodies import RATE_HZ, Split, draw_bodies
from cluster.training.evaluation import Metrics, evaluate
from cluster.training.extra import require_training_libraries
from cluster.training.model_folder import make_folder, write_model
from cluster.training.onnx_export import export
from cluster.training.plan import Plan
from cluster.training.scaling import scaling_of

if TYPE_CHECKING:
    from cluster.training.fit import Step


@dataclass(frozen=True)
class Trained:
    """What a run gave: the figures on held-out bodies, and where the files are."""

    folder: Path
    metrics: Metrics


def train(
    plan: Plan,
    folder: Path,
    name: str,
    version: str,
    told: "Callable[[Step], None]" = lambda step: None,
) -> Trained:
    """Train, export, evaluate and write a model.

    Raises:
        ConfigurationError: the folder cannot be made.
        ToolMissingError: the training libraries are not installed.
    """
    require_training_libraries()
    make_folder(folder)
    from cluster.training.fit import fit  # noqa: PLC0415 - JAX, which only training needs

    draw = (plan.seed, plan.mixed_share, plan.loop_s)
    training = draw_bodies(Split.TRAINING, plan.bodies, *draw)
    validation = draw_bodies(Split.VALIDATION, plan.validation, *draw)
    scaling = scaling_of(training.features)
    weights = fit(plan, training, validation, scaling, told)
    model = export(weights)
    held_out = draw_bodies(Split.HELD_OUT, plan.held_out, plan.seed, loop_s=plan.loop_s)
    metrics = evaluate(model, scaling, held_out, float(training.speed_m_s.mean()))
    samples = plan.updates * plan.lanes * plan.steps
    facts = {
        "hidden_units": plan.hidden_units,
        "sequence_length": plan.steps,
        "training": plan.facts()
        | {
            "mean_speed_m_s": round(float(training.speed_m_s.mean()), 4),
            "validation_bodies": plan.validation,
            "hours_seen": round(samples / RATE_HZ / 3600, 1),
        },
        "metrics": metrics,
    }
    write_model(folder, name, version, model, scaling, facts)
    return Trained(folder, metrics)
