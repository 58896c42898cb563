"""The weights of the network, in the order the training has them and in ONNX's."""

from typing import Final, NamedTuple

import numpy as np

from cluster.training.bodies import Float32s

GATES: Final = "ifco"
"""Input, forget, cell, output: the order of the rows here; sigmoid, sigmoid, tanh, sigmoid."""
ONNX_GATES: Final = "iofc"
"""The order that ONNX's operator LSTM has its rows in (its specification, inputs W, R and B)."""


class Weights(NamedTuple):
    """An LSTM of H units over F features, and a dense layer to velocity and moving logit.

    inputs ``(4H, F)``, recurrent ``(4H, H)``, bias ``(4H,)``, dense ``(H, 2)``,
    dense_bias ``(2,)``; all float32
    """

    inputs: Float32s
    recurrent: Float32s
    bias: Float32s
    dense: Float32s
    dense_bias: Float32s

    @property
    def hidden_units(self) -> int:
        """H."""
        return int(self.recurrent.shape[1])


def draw_weights(features: int, hidden_units: int, rng: np.random.Generator) -> Weights:
    """Draw weights to start from: uniform up to 1/sqrt(H), and a forget gate that remembers."""
    bound = 1 / np.sqrt(hidden_units)

    def uniform(*shape: int) -> Float32s:
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    bias = np.zeros((4, hidden_units), dtype=np.float32)
    bias[GATES.index("f")] = 1.0
    return Weights(
        uniform(4 * hidden_units, features),
        uniform(4 * hidden_units, hidden_units),
        bias.reshape(-1),
        uniform(hidden_units, 2),
        np.zeros(2, dtype=np.float32),
    )


def in_onnx_order(rows: Float32s) -> Float32s:
    """Return ``(4H, ...)`` rows, ordered as GATES, ordered as ONNX_GATES."""
    gates = rows.reshape(4, -1, *rows.shape[1:])
    return np.concatenate([gates[GATES.index(gate)] for gate in ONNX_GATES])
