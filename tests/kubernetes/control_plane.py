"""A real Kubernetes control plane; its nodes alone do not exist: kwok says they run their pods."""

import contextlib
import json
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.setup.paths import KUBERNETES, KUSTOMIZE
from tests.kubernetes.network import GATEWAY, Network
from tests.kubernetes.processes import Processes
from tests.kubernetes.programs import BIN, kwok_stages, operator_source, storage_class

_NODES = Path(__file__).with_name("nodes.yaml")
_ETCD = "http://127.0.0.1:2379"
_API = "https://127.0.0.1:6443"
_ISSUER = "https://kubernetes.default.svc"
_OPERATOR_NAMESPACE = "default"


class RefusedError(AssertionError):
    """kubectl failed; the message is what it said."""


class ControlPlane:
    """etcd, API server, controllers, scheduler, kwok; KubeRay's operator with its own rights."""

    def __init__(self, folder: Path, network: Network, processes: Processes) -> None:
        self._folder = folder
        self._network = network
        self._processes = processes
        self._admin = folder / "admin.kubeconfig"

    def start(self) -> None:
        """Start it, with all schemas that the manifests use; returns once its nodes are ready."""
        self._start_etcd()
        self._start_api_server()
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={self._admin}",
            f"--service-account-private-key-file={self._key()}",
            f"--root-ca-file={self._folder}/certificates/apiserver.crt",
            f"--cert-dir={self._folder}/certificates-controllers",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        )
        self._start(
            "kube-scheduler",
            f"--kubeconfig={self._admin}",
            f"--cert-dir={self._folder}/certificates-scheduler",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        )
        self._start(
            "kwok",
            f"--kubeconfig={self._admin}",
            "--manage-all-nodes",
            f"--cidr={GATEWAY}/16",
            f"--node-ip={GATEWAY}",
            "--node-lease-duration-seconds=40",
            *(f"--config={stage}" for stage in kwok_stages()),
        )
        self.apply_files(KUBERNETES / "crds", "--server-side")
        self._processes.wait("kube-controller-manager", "service accounts", self._has_accounts)
        self.apply_files(storage_class())
        self.apply_files(_NODES)
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")

    def start_operator(self) -> None:
        """Start KubeRay's operator as its own manifests describe it, with its service account."""
        source = operator_source() / "config" / "default"
        # Its schemas are there already, and are too long for an annotation of the client's.
        self.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(source))
        name = "kuberay-operator"
        token = self.kubectl(
            "--namespace", _OPERATOR_NAMESPACE, "create", "token", name, "--duration=24h"
        )
        file = self._folder / "operator.kubeconfig"
        file.write_text(self._kubeconfig(token.strip()))
        self._start(
            "ray-operator",
            f"--kubeconfig={file}",
            "--enable-leader-election=false",
            # It reaches Ray's dashboards through the API server, as if it ran elsewhere.
            "--use-kubernetes-proxy",
            "--metrics-addr=127.0.0.1:8081",
            "--health-probe-bind-address=127.0.0.1:8082",
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the cluster's administrator; return what it wrote.

        Raises:
            RefusedError: it failed.
        """
        return self.kubectl_all(*arguments, stdin=stdin)[0]

    def kubectl_all(self, *arguments: str, stdin: str | None = None) -> tuple[str, str]:
        """As :meth:`kubectl`, with what it wrote to standard error, where warnings stand."""
        words = [BIN / "kubectl", "--kubeconfig", self._admin, *arguments]
        done = subprocess.run(
            self._network.command(words), input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RefusedError(done.stderr.strip())
        return done.stdout, done.stderr

    def apply_files(self, path: Path, *options: str) -> None:
        """Apply a manifest, or all of a folder."""
        self.kubectl("apply", "--recursive", "-f", str(path), *options)

    def apply(self, objects: Sequence[Mapping[str, Any]], *options: str) -> tuple[str, str]:
        """Apply objects; return what kubectl wrote, and its warnings."""
        text = yaml.safe_dump_all(objects)
        return self.kubectl_all("apply", "--server-side", "-f", "-", *options, stdin=text)

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get` finds."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def _start(self, name: str, *arguments: str) -> None:
        self._processes.start(name, self._network.command([BIN / name, *arguments]))

    def _start_etcd(self) -> None:
        self._start(
            "etcd",
            f"--data-dir={self._folder}/etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
        )

    def _start_api_server(self) -> None:
        token = secrets.token_hex(16)
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{token},admin,admin,system:masters\n")
        tokens.chmod(0o600)
        self._start(
            "kube-apiserver",
            f"--etcd-servers={_ETCD}",
            "--bind-address=127.0.0.1",
            "--secure-port=6443",
            f"--advertise-address={GATEWAY}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._folder}/certificates",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            # As clusters have it: what refuses a privileged pod is the namespace.
            "--allow-privileged",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={self._key()}",
            f"--service-account-signing-key-file={self._key()}",
        )
        certificate = self._folder / "certificates" / "apiserver.crt"
        self._processes.wait("kube-apiserver", "its certificate", certificate.is_file)
        self._admin.write_text(self._kubeconfig(token))
        self._processes.wait("kube-apiserver", "readiness", self._is_ready)

    def _is_ready(self) -> bool:
        with contextlib.suppress(RefusedError):
            self.kubectl("get", "--raw", "/readyz")
            return True
        return False

    def _has_accounts(self) -> bool:
        with contextlib.suppress(RefusedError):
            self.kubectl("get", "serviceaccount", "default")
            return True
        return False

    def _key(self) -> Path:
        file = self._folder / "service-accounts.key"
        if not file.is_file():
            words = ["openssl", "genrsa", "-out", str(file), "2048"]
            subprocess.run(words, check=True, capture_output=True)
        return file

    def _kubeconfig(self, token: str) -> str:
        certificate = str(self._folder / "certificates" / "apiserver.crt")
        here = {"server": _API, "certificate-authority": certificate}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": here}],
                "users": [{"name": "user", "user": {"token": token}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "user"}}],
                "current-context": "here",
            }
        )


def rendered(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    done = subprocess.run([KUSTOMIZE, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]
