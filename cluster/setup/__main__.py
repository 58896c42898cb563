"""`python3 -m cluster.setup`: install what a checkout needs; named after it, what few need.

That is `browser`, `kubernetes` (kustomize and schemas) and `nginx`, for the tests, and
`prometheus`, for `imustream up --monitoring` and the tests.
Every step is skipped when its inputs are as they were and its result is there.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from cluster.setup.browser import browser
from cluster.setup.compiled_operators import compiled_operators
from cluster.setup.document_database import document_database
from cluster.setup.front_end import front_end
from cluster.setup.kafka_jars import kafka_jars
from cluster.setup.kubernetes import kubernetes_schemas, kustomize
from cluster.setup.mosquitto import mosquitto
from cluster.setup.nginx import nginx
from cluster.setup.prometheus import prometheus
from cluster.setup.python_packages import python_packages
from cluster.setup.s3_gateway import s3_gateway
from cluster.setup.step import Step
from pipelines.errors import ImustreamError


def main() -> int:
    """Make the virtual environment, then run all other steps at once. Returns the exit code.

    Downloads wait for the network and the Go builds for the processor: together they take half.
    """
    steps = [
        kafka_jars(),
        mosquitto(),
        document_database(),
        s3_gateway(),
        front_end(),
        compiled_operators(),
    ]
    if "browser" in sys.argv[1:]:
        steps.append(browser())
    if "nginx" in sys.argv[1:]:
        steps.append(nginx())
    if "prometheus" in sys.argv[1:]:
        steps.append(prometheus())
    if "kubernetes" in sys.argv[1:]:
        steps += [kustomize(), kubernetes_schemas()]
    try:
        python_packages().run()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Step.run, steps))
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
