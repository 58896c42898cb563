"""A network of its own for the control plane and its pods, from which no other host is reached.

The control plane lives in one network namespace, each pod that runs for real in another; a bridge
joins them, as a node's does. Addresses are those that kwok gives to pods.
"""

import itertools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

GATEWAY = "10.244.0.1"
"""The control plane's address among the pods; servers that pods use listen there."""

_BITS = 16
_BRIDGE = "pods0"
_NUMBERS = itertools.count(1)


class Network:
    """The control plane's namespace and those of its pods; :meth:`close` removes them all."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            pytest.skip.Exception: network namespaces cannot be made here.
        """
        self.name = f"imustream-{os.getpid()}"
        self._pods: list[str] = []
        try:
            _ip("netns", "add", self.name)
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", "") or error
            pytest.skip(f"no network namespace can be made (root and iproute2 are needed): {why}")
        self._inside("link", "set", "lo", "up")
        self._inside("link", "add", _BRIDGE, "type", "bridge")
        self._inside("addr", "add", f"{GATEWAY}/{_BITS}", "dev", _BRIDGE)
        self._inside("link", "set", _BRIDGE, "up")

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """Return the command that runs ``words`` beside the control plane."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def add_pod(self, address: str) -> str:
        """Make a pod's namespace with its address; return the namespace's name."""
        number = next(_NUMBERS)
        pod, veth = f"{self.name}-{number}", f"veth{number}"
        _ip("netns", "add", pod)
        self._pods.append(pod)
        self._inside("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", pod)
        self._inside("link", "set", veth, "master", _BRIDGE, "up")
        _ip("-n", pod, "link", "set", "lo", "up")
        _ip("-n", pod, "addr", "add", f"{address}/{_BITS}", "dev", "eth0")
        _ip("-n", pod, "link", "set", "eth0", "up")
        # Nothing is behind the gateway; Ray learns its own address by asking where it would go.
        _ip("-n", pod, "route", "add", "default", "via", GATEWAY)
        return pod

    def remove_pod(self, pod: str) -> None:
        """Remove a pod's namespace; its link goes with it."""
        self._pods.remove(pod)
        _ip("netns", "del", pod)

    def close(self) -> None:
        """Remove everything."""
        for pod in list(self._pods):
            self.remove_pod(pod)
        _ip("netns", "del", self.name)

    def _inside(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
