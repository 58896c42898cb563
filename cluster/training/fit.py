"""Fit the network by truncated back-propagation, its state carried from chunk to chunk."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cluster.training.bodies import Bodies
from cluster.training.lanes import Chunk, Lanes
from cluster.training.network import State, forward, zero_state
from cluster.training.plan import Plan
from cluster.training.scaling import Scaling
from cluster.training.weights import Weights, draw_weights

_MAX_GRADIENT_NORM = 1.0
_MOVING_WEIGHT = 0.2
"""What the moving head's cross-entropy counts beside the velocity's squared error (m2/s2)."""


class Step(NamedTuple):
    """How far the fit is: losses are of the last chunk, and of the validation bodies."""

    update: int
    loss: float
    validation_loss: float


def fit(
    plan: Plan,
    training: Bodies,
    validation: Bodies,
    scaling: Scaling,
    told: Callable[[Step], None] = lambda step: None,
) -> Weights:
    """Return the weights that did best on the validation bodies; one plan, one answer."""
    rng = np.random.default_rng([plan.seed, 74])
    lanes = Lanes(training, scaling, plan.lanes, plan.steps, plan.change_share, rng)
    weights = best = draw_weights(training.features.shape[-1], plan.hidden_units, rng)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, plan.learning_rate, plan.updates // 20, plan.updates, plan.learning_rate / 100
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(_MAX_GRADIENT_NORM), optax.adam(schedule, b2=0.99)
    )
    update = _updater(optimizer)
    memory = optimizer.init(weights)
    state = zero_state(plan.lanes, plan.hidden_units)
    whole = _validation_chunk(validation, scaling)
    lowest = np.inf
    for number in range(1, plan.updates + 1):
        weights, memory, state, loss = update(weights, memory, state, lanes.next())
        if number % plan.validate_every == 0 or number == plan.updates:
            found = float(_validation_loss(weights, whole))
            if found < lowest:
                lowest, best = found, weights
            told(Step(number, float(loss), found))
    return Weights(*(np.asarray(part, dtype=np.float32) for part in best))


def _loss(weights: Weights, state: State, chunk: Chunk) -> tuple[Any, State]:
    velocity, logit, state = forward(weights, chunk.features, state)
    error = jnp.mean((velocity - chunk.speed_m_s) ** 2)
    entropy = jnp.mean(optax.sigmoid_binary_cross_entropy(logit, chunk.moving))
    return error + _MOVING_WEIGHT * entropy, state


def _updater(optimizer: Any) -> Any:
    def update(weights: Weights, memory: Any, state: State, chunk: Chunk) -> Any:
        kept = jnp.where(chunk.fresh, 0.0, 1.0)[:, None]
        state = (state[0] * kept, state[1] * kept)
        (loss, state), gradients = jax.value_and_grad(_loss, has_aux=True)(weights, state, chunk)
        changes, memory = optimizer.update(gradients, memory, weights)
        return optax.apply_updates(weights, changes), memory, state, loss

    return jax.jit(update)


def _validation_chunk(bodies: Bodies, scaling: Scaling) -> Chunk:
    """Return whole loops, from a state of zero."""
    return Chunk(
        scaling.apply(bodies.features).swapaxes(0, 1),
        bodies.speed_m_s.T,
        bodies.moving.T.astype(np.float32),
        np.ones(len(bodies.features), dtype=np.bool_),
    )


@jax.jit
def _validation_loss(weights: Weights, chunk: Chunk) -> Any:
    state = zero_state(chunk.features.shape[1], weights.recurrent.shape[1])
    return _loss(weights, state, chunk)[0]
