"""`python -m tests.kubernetes.container SPEC`: become a pod's main process, as a kubelet does it.

It runs in the pod's network namespace and in mount and process namespaces of its own. The root file
system is this machine's; /app is the checkout and /opt/venv its packages, where the image has them.
Only the pod's own volumes can be written to.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Make the root file system that SPEC asks for, and run its command there."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    root = Path(spec["root"])
    _mount_root(root)
    for folder in sorted(spec["volumes"]):
        where = root / folder.lstrip("/")
        where.mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", where, "-t", "tmpfs", "-o", "mode=1777")
    for folder in spec["folders"]:
        made = root / folder.lstrip("/")
        made.mkdir(parents=True)
        made.chmod(0o777)
    for source, target in spec["binds"].items():
        _bind(Path(source), root / target.lstrip("/"))
    for target, text in spec["files"].items():
        file = root / target.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # Python may be installed in a home folder that nobody else enters; here the pod's user does.
    for parent in Path(sys.base_prefix).parents:
        (root / parent.relative_to("/")).chmod(0o755)
    _mount("overlay", root, "-o", "remount,ro")
    os.chroot(root)
    os.chdir(spec["folder"])
    os.setgroups([])
    os.setgid(spec["user"])
    os.setuid(spec["user"])
    command = spec["command"]
    os.execvpe(command[0], command, spec["environment"])


def _mount_root(root: Path) -> None:
    layers = root.with_name(root.name + "-layers")
    for folder in (root, layers):
        folder.mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", layers, "-t", "tmpfs")
    for name in ("upper", "work"):
        (layers / name).mkdir()
    options = f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work"
    _mount("overlay", root, "-t", "overlay", "-o", options)
    _mount("/dev", root / "dev", "--rbind")
    _mount("proc", root / "proc", "-t", "proc")


def _bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(str(source), target, "--bind")


def _mount(what: str, where: Path, *options: str) -> None:
    subprocess.run(["mount", *options, what, str(where)], check=True)


if __name__ == "__main__":
    main()
