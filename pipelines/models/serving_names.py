"""How the replicas that run models are found on the Ray cluster.

Whoever runs a model there takes ``ray.serve.get_deployment_handle(DEPLOYMENT, APPLICATION)`` and
calls, by keyword or in this order:

- ``infer_sequences(name, version, sha256, features, lengths, hidden, cell)``, numpy arrays of the
  shapes of :mod:`pipelines.models.model_files`; returns ``(predictions, hidden, cell)``. It raises
  when that model is not in the store or its SHA-256 is another.
- ``load(name, version, sha256)``: loads that version beside the others, warms it up and returns
  None, so that the first call after a switch waits for nothing.
"""

APPLICATION = "inference"
DEPLOYMENT = "Model"
ROUTE_PREFIX = "/v2"
