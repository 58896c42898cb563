"""The programs of a control plane, built from the Go module proxy into `.tools/kubernetes/bin`.

The first build takes a quarter of an hour on two cores, with Go's cache filled half a minute; as
long as the modules' files stay as they are, none.
"""

import os
from pathlib import Path

from cluster.setup import tools
from cluster.setup.debian_packages import unpack
from cluster.setup.paths import DEBIAN_ROOT, KUBERNETES
from cluster.setup.step import Step, run_tool

BIN = KUBERNETES / "bin"
KUBERNETES_VERSION = "v1.35.4"

_HERE = Path(__file__).parent
_CONTROL_PLANE = _HERE / "controlplane"
_OPERATOR = _HERE / "operator"
_KWOK = _HERE / "kwok"
_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_STRIP = "-s -w"
_VERSION = "k8s.io/component-base/version"
REDIS = DEBIAN_ROOT / "usr" / "bin" / "redis-server"


def build() -> None:
    """Build whatever is not there yet.

    Raises:
        ToolMissingError, UnavailableError: as the set-up's steps do.
    """
    for step in (_control_plane(), _kwok(), _operator(), _redis()):
        step.run()


def _control_plane() -> Step:
    return Step(
        name="kubernetes-control-plane",
        title="a Kubernetes control plane (a Go build of many minutes)",
        inputs=(_CONTROL_PLANE / "go.mod", _CONTROL_PLANE / "go.sum"),
        is_there=lambda: all((BIN / name).is_file() for name in ("etcd", *_COMMANDS)),
        install=_build_control_plane,
    )


def _build_control_plane() -> None:
    # kubectl and the API server compare their versions, which a release sets so.
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    version = f"-X {_VERSION}.gitVersion={KUBERNETES_VERSION} "
    version += f"-X {_VERSION}.gitMajor={major} -X {_VERSION}.gitMinor={minor}"
    _go_build(_CONTROL_PLANE, "go.etcd.io/etcd/server/v3", BIN / "etcd", _STRIP)
    for name in _COMMANDS:
        package = f"k8s.io/kubernetes/cmd/{name}"
        _go_build(_CONTROL_PLANE, package, BIN / name, f"{_STRIP} {version}")


def _kwok() -> Step:
    return Step(
        name="kubernetes-kwok",
        title="kwok, the kubelet of nodes that do not exist",
        inputs=(_KWOK / "go.mod", _KWOK / "go.sum"),
        is_there=(BIN / "kwok").is_file,
        install=lambda: _go_build(_KWOK, "sigs.k8s.io/kwok/cmd/kwok", BIN / "kwok", _STRIP),
    )


def _operator() -> Step:
    return Step(
        name="kubernetes-operator",
        title="KubeRay's operator",
        inputs=(_OPERATOR / "go.mod", _OPERATOR / "go.sum"),
        is_there=(BIN / "ray-operator").is_file,
        install=lambda: _go_build(
            _OPERATOR, "github.com/ray-project/kuberay/ray-operator", BIN / "ray-operator", _STRIP
        ),
    )


def _redis() -> Step:
    return Step(
        name="kubernetes-redis",
        title="Redis, where Ray's heads keep their state",
        inputs=(),
        is_there=REDIS.is_file,
        install=lambda: unpack("redis-server", "Redis"),
    )


def operator_source() -> Path:
    """The folder of KubeRay's module, with the manifests of its operator."""
    return _source("github.com/ray-project/kuberay/ray-operator", _OPERATOR)


def kwok_stages() -> list[Path]:
    """What kwok is told to do with nodes, pods and volumes: at once what a kubelet would do."""
    stages = _source("sigs.k8s.io/kwok", _KWOK) / "kustomize" / "stage"
    folders = ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast")
    files = [file for folder in folders for file in sorted((stages / folder).glob("*.yaml"))]
    return [file for file in files if "kind: Stage" in file.read_text()]


def storage_class() -> Path:
    """The class of volumes that kwok says are there."""
    source = _source("sigs.k8s.io/kwok", _KWOK)
    return source / "kustomize" / "stage" / "volume" / "fast" / "storage-class.yaml"


def _source(module: str, folder: Path) -> Path:
    return Path(_go(["list", "-m", "-f", "{{.Dir}}", module], folder).strip())


def _go_build(folder: Path, package: str, result: Path, linker: str) -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    arguments = ["build", "-trimpath", "-mod=readonly", f"-ldflags={linker}"]
    _go([*arguments, "-o", str(result), package], folder)


def _go(arguments: list[str], folder: Path) -> str:
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false",
    }
    return run_tool([tools.go(), *arguments], folder=folder, environment=environment)
