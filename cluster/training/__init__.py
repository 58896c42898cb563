"""Training of the `velocity` model: simulated bodies, network, fit, ONNX export, proof, card.

Only :mod:`cluster.training.network` and :mod:`cluster.training.fit` need the extra `train`.
"""
