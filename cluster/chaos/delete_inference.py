"""`python -m cluster.chaos.delete_inference`: take the application that runs the models away."""

import logging

import ray
from ray import serve

from pipelines.models.serving_names import APPLICATION
from pipelines.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    ray.init(
        settings.ray.address,
        namespace=settings.ray.namespace,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    serve.delete(APPLICATION)
