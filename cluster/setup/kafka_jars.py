"""The step that fetches Kafka's jars."""

from cluster.setup.paths import KAFKA_JARS, ROOT
from cluster.setup.python_packages import PYTHON
from cluster.setup.step import Step, run_tool

LOCK = ROOT / "cluster" / "setup" / "kafka-jars.lock"
"""A line for each jar: its Maven coordinates and its SHA-256."""


def kafka_jars() -> Step:
    """The step that fetches them."""
    return Step(
        name="kafka-jars",
        title="Kafka",
        inputs=(LOCK,),
        is_there=lambda: any(KAFKA_JARS.glob("kafka_*.jar")),
        install=_install,
    )


def _install() -> None:
    # The package that speaks to Maven Central is in the virtual environment.
    run_tool([PYTHON, "-m", "cluster.setup.jar_download"])
