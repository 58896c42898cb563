"""The network in JAX: one LSTM, then velocity by softplus and moving as a logit."""

from typing import Any

import jax
import jax.numpy as jnp

from cluster.training.weights import Weights

State = tuple[jax.Array, jax.Array]
_UNROLL = 4
"""Steps of a scan compiled as one: a step is so little work that the loop itself tells."""


def forward(weights: Weights, features: Any, state: State) -> tuple[Any, Any, State]:
    """Return velocity ``(t, b)`` m/s, moving logit ``(t, b)``, and the state after the last step.

    features: ``(t, b, f)`` scaled;  state: hidden and cell, ``(b, H)`` each
    """
    pushed = features @ weights.inputs.T + weights.bias

    def step(carried: State, push: jax.Array) -> tuple[State, jax.Array]:
        hidden, cell = carried
        keep_in, forget, candidate, out = jnp.split(push + hidden @ weights.recurrent.T, 4, axis=1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(keep_in) * jnp.tanh(candidate)
        hidden = jax.nn.sigmoid(out) * jnp.tanh(cell)
        return (hidden, cell), hidden

    state, hidden = jax.lax.scan(step, state, pushed, unroll=_UNROLL)
    heads = hidden @ weights.dense + weights.dense_bias
    return jax.nn.softplus(heads[..., 0]), heads[..., 1], state


def zero_state(lanes: int, hidden_units: int) -> State:
    """Return the state of lanes that have seen nothing."""
    zeros = jnp.zeros((lanes, hidden_units), dtype=jnp.float32)
    return zeros, zeros
