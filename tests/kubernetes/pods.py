"""Pods that run for real: their main container's own command, environment and files, as processes.

kwok says at once that a pod is ready and gives it an address; this starts what the pod would be.
Only chosen pods: the rest stay names. Init containers and sidecars are left out, and no probe is
asked: the tests ask them themselves.
"""

import base64
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cluster.setup.paths import ROOT, VENV
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.network import GATEWAY, Network
from tests.kubernetes.processes import Processes

NAMESPACE = "streaming-kafka"
USER = 10001
IMAGE_ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "XDG_CACHE_HOME": "/run/imustream/compiled",
}
"""As the Containerfile sets it."""

RESTARTS = 5
"""How often a container that ended is started again, as a kubelet does: a head before its Redis."""

_POLL_S = 1.0
_GENTLE_S = 1.0
_DNS = "cluster-dns"
_PREPARED = [f"/run/imustream/{name}" for name in ("compiled", "metrics", "proxy")]
"""What the init container `prepare` copies from the image."""

Wanted = Callable[[Mapping[str, Any]], bool]
"""Whether a pod is to run for real."""


Overrides = Callable[[Mapping[str, Any]], Mapping[str, str | None]]
"""What a pod's environment has otherwise here than on a cluster; None: it has no such variable."""


class RealPod(NamedTuple):
    """A pod that runs."""

    name: str
    address: str
    namespace: str
    labels: Mapping[str, str]


class Pods:
    """Starts chosen pods when they are bound to a node, and ends them when they are deleted."""

    def __init__(
        self,
        control_plane: ControlPlane,
        network: Network,
        processes: Processes,
        folder: Path,
        wanted: Wanted,
        overrides: Overrides,
        binds: Mapping[Path, str],
    ) -> None:
        """``binds``: folders of this machine to show in every pod."""
        self._control_plane = control_plane
        self._network = network
        self._processes = processes
        self._folder = folder
        self._wanted = wanted
        self._overrides = overrides
        self._binds = binds
        self._names = folder / "names.json"
        self._running: dict[str, RealPod] = {}
        self._commands: dict[str, list[str]] = {}
        self._restarts: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pods", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to look, and to answer for the cluster's names."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._names.write_text("{}")
        dns = [VENV / "bin" / "python", "-m", "tests.kubernetes.cluster_dns", GATEWAY, self._names]
        self._processes.start(_DNS, self._network.command(dns))
        self._thread.start()

    def close(self) -> None:
        """End all pods."""
        self._stopping.set()
        self._thread.join()
        for uid in list(self._running):
            self._end(uid)
        # Or the next to run pods here would be told of these.
        self._processes.stop(_DNS)

    def running(self) -> list[RealPod]:
        """Return the pods that run now.

        Raises:
            AssertionError: the main process of one has ended more than :data:`RESTARTS` times.
            Exception: what the thread failed with.
        """
        if self.failure is not None:
            raise self.failure
        pods = list(self._running.values())
        for pod in pods:
            assert self._restarts[pod.name] <= RESTARTS, (
                f"{pod.name} ends again and again:\n{self.log(pod).read_text()[-3000:]}"
            )
        return pods

    def log(self, pod: RealPod) -> Path:
        """The log of a pod's main process."""
        return self._processes.log(pod.name)

    def pre_stop(self, pod: RealPod) -> "subprocess.CompletedProcess[str]":
        """Run what a kubelet runs in a pod before it ends it."""
        found = self._control_plane.get(f"pod/{pod.name}", "--namespace", NAMESPACE)
        command = found["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        spec = json.loads((self._folder / f"{pod.name}.json").read_text())
        ids = subprocess.run(
            ["ip", "netns", "pids", pod.namespace], capture_output=True, text=True, check=True
        ).stdout.split()
        # Those that wait outside are root's; the oldest inside is the pod's main process.
        inside = min(int(pid) for pid in ids if Path(f"/proc/{pid}").stat().st_uid == USER)
        enter = ["/usr/bin/nsenter", f"--target={inside}", "--mount", "--pid", "--net", "--root"]
        enter += ["--wd", f"--setuid={USER}", f"--setgid={USER}"]
        return subprocess.run(
            [*enter, *command],
            env=spec["environment"],
            capture_output=True,
            text=True,
            check=False,
        )

    def _run(self) -> None:
        try:
            while not self._stopping.wait(_POLL_S):
                self._look()
        except Exception as error:
            self.failure = error

    def _look(self) -> None:
        found = self._control_plane.get("pods,services", "--namespace", NAMESPACE)["items"]
        pods = [one for one in found if one["kind"] == "Pod"]
        self._name(pods, [one for one in found if one["kind"] == "Service"])
        present = {pod["metadata"]["uid"]: pod for pod in pods}
        for uid in set(self._running) - set(present):
            self._end(uid)
        for pod_there in self._running.values():
            self._start_again(pod_there.name)
        for uid, pod in present.items():
            bound = pod["status"].get("podIP") and not pod["metadata"].get("deletionTimestamp")
            if uid not in self._running and bound and self._wanted(pod):
                self._begin(uid, pod)

    def _name(self, pods: list[Any], services: list[Any]) -> None:
        names: dict[str, list[str]] = {}
        for service in services:
            selector = (service["spec"].get("selector") or {}).items()
            addresses = [
                pod["status"]["podIP"]
                for pod in pods
                if selector and selector <= pod["metadata"].get("labels", {}).items()
                if pod["status"].get("podIP")
            ]
            name = f"{service['metadata']['name']}.{NAMESPACE}.svc.cluster.local."
            names[name] = addresses
        partial = self._names.with_suffix(".partial")
        partial.write_text(json.dumps(names))
        partial.replace(self._names)

    def _begin(self, uid: str, pod: Mapping[str, Any]) -> None:
        name = pod["metadata"]["name"]
        address = pod["status"]["podIP"]
        namespace = self._network.add_pod(address)
        spec = self._folder / f"{name}.json"
        spec.write_text(json.dumps(self._spec(pod)))
        spec.chmod(0o600)
        command = ["ip", "netns", "exec", namespace]
        command += ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM"]
        command += [str(VENV / "bin" / "python"), "-m", "tests.kubernetes.container", str(spec)]
        self._running[uid] = RealPod(name, address, namespace, pod["metadata"].get("labels", {}))
        self._commands[name] = command
        self._processes.start(name, command)

    def _start_again(self, name: str) -> None:
        """Start a container anew that has ended."""
        if self._processes.code(name) is None or self._restarts[name] > RESTARTS:
            return
        self._restarts[name] += 1
        self._processes.stop(name)
        self._processes.start(name, self._commands[name])

    def _end(self, uid: str) -> None:
        pod = self._running.pop(uid)
        self._processes.stop(pod.name, _GENTLE_S)
        self._network.remove_pod(pod.namespace)

    def _spec(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        container = pod["spec"]["containers"][0]
        environment = {**IMAGE_ENVIRONMENT, **self._environment(pod, container)}
        for name, value in self._overrides(pod).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        command = [*container.get("command", []), *container.get("args", [])]
        for name, value in environment.items():
            command = [word.replace(f"$({name})", value) for word in command]
        search = f"search {NAMESPACE}.svc.cluster.local svc.cluster.local cluster.local"
        return {
            "root": str(self._folder / f"{pod['metadata']['name']}-root"),
            "binds": {str(ROOT): "/app", str(VENV.resolve()): "/opt/venv", **self._shown()},
            "files": {
                "/etc/resolv.conf": f"nameserver {GATEWAY}\n{search}\noptions ndots:5\n",
                "/etc/hosts": f"127.0.0.1 localhost\n{pod['status']['podIP']} "
                f"{pod['metadata']['name']}\n",
                **self._files(pod, container),
            },
            "volumes": _volumes(pod, container),
            "folders": _PREPARED if pod["spec"].get("initContainers") else [],
            "folder": container.get("workingDir", "/app"),
            "user": USER,
            "command": command,
            "environment": environment,
        }

    def _shown(self) -> dict[str, str]:
        return {str(source): target for source, target in self._binds.items()}

    def _environment(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= self._data("configmap", source["configMapRef"]["name"])
        for one in container.get("env", ()):
            value = one.get("value", "")
            if "valueFrom" in one:
                value = self._value(pod, one["valueFrom"])
            for name, known in found.items():
                value = value.replace(f"$({name})", known)
            found[one["name"]] = value
        return found

    def _value(self, pod: Mapping[str, Any], source: Mapping[str, Any]) -> str:
        if secret := source.get("secretKeyRef"):
            return self._data("secret", secret["name"])[secret["key"]]
        path = source["fieldRef"]["fieldPath"]
        if path.startswith("metadata.labels["):
            label = path.split("'")[1]
            return str(pod["metadata"]["labels"][label])
        here: Any = pod
        for part in path.split("."):
            here = here[part]
        return str(here)

    def _files(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, str]:
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
        files: dict[str, str] = {}
        for mount in container.get("volumeMounts", ()):
            projected = volumes.get(mount["name"], {}).get("projected", {})
            for source in projected.get("sources", ()):
                if "secret" in source:
                    files |= self._secret_files(mount["mountPath"], source["secret"])
        return files

    def _secret_files(self, folder: str, secret: Mapping[str, Any]) -> dict[str, str]:
        try:
            data = self._data("secret", secret["name"])
        except AssertionError:
            if secret.get("optional"):
                return {}
            raise
        return {f"{folder}/{item['path']}": data[item["key"]] for item in secret["items"]}

    def _data(self, kind: str, name: str) -> dict[str, str]:
        data = self._control_plane.get(kind, name, "--namespace", NAMESPACE).get("data") or {}
        if kind == "configmap":
            return dict(data)
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _volumes(pod: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    """Return where a container has volumes that it can write to."""
    kinds = ("emptyDir", "persistentVolumeClaim")
    writable = {
        volume["name"]
        for volume in pod["spec"].get("volumes", ())
        if any(kind in volume for kind in kinds)
    }
    return [
        mount["mountPath"]
        for mount in container.get("volumeMounts", ())
        if mount["name"] in writable
    ]
