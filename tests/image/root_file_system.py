"""Root file systems made and entered without a container engine, by namespaces of the kernel.

Whatever is mounted is mounted in a namespace of its own and goes away with it; nothing of this
machine's can be changed from inside but what lies in the root itself.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

DEBIAN: Final = "bookworm"
_INCLUDED: Final = "ca-certificates,python3,python3-venv"
"""What the image's base has too: Python 3.11 and the authorities of public certificates."""

_CLIENT_SETTINGS: Final = ("PIP_", "SSL_", "REQUESTS_", "http_", "https_", "HTTP_", "HTTPS_")
"""How this machine reaches package registries, which a build is told."""

_DEVICES: Final = ("null", "zero", "full", "random", "urandom")

_ENTER: Final = """
set -e
root=$1 writable=$2 mounts=$3 user=$4 folder=$5; shift 5
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in DEVICES; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
for mount in /dev/shm $mounts; do
  mkdir -p "$root$mount"
  mount -t tmpfs -o mode=1777 tmpfs "$root$mount"
done
[ "$writable" = yes ] || mount -o remount,bind,ro "$root"
drop=""
[ "$user" = 0:0 ] || drop="--no-new-privs --inh-caps=-all --bounding-set=-all"
exec /usr/sbin/chroot "$root" \
  setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups $drop \
  sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
""".replace("DEVICES", " ".join(_DEVICES))


def make_debian(root: Path) -> None:
    """Make a small Debian in a folder, unless it is there.

    Raises:
        subprocess.CalledProcessError: debootstrap failed; it says why.
    """
    if root.is_dir():
        return
    partial = root.with_name(root.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", DEBIAN, str(partial)]
    subprocess.run([*command, *_mirror()], check=True, stdout=subprocess.DEVNULL)
    for name in ("etc/resolv.conf", "etc/hosts", "etc/pip.conf"):
        if Path("/", name).is_file():
            shutil.copy(Path("/", name), partial / name)
    _trust_what_this_machine_trusts(partial)
    partial.rename(root)


def copy_root(source: Path, target: Path) -> None:
    """Copy a root file system."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def entering(
    root: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: str = "/",
    user: str = "0:0",
    writable: Sequence[str] | None = None,
    output: IO[str] | int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a command in a root file system; all its processes end with it.

    ``writable``: only these folders can be written to, and are empty; None: everything can.
    """
    script = ["sh", "-c", _ENTER, "enter", str(root), "yes" if writable is None else "no"]
    return subprocess.Popen(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts"),
            *script,
            " ".join(writable or ()),
            user,
            folder,
            *command,
        ],
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def client_settings() -> dict[str, str]:
    """Return the variables by which this machine's clients reach package registries."""
    return {key: value for key, value in os.environ.items() if key.startswith(_CLIENT_SETTINGS)}


def _mirror() -> list[str]:
    """Return the archive that this machine's own apt uses, where it names one."""
    for file in (*sorted(Path("/etc/apt/sources.list.d").glob("*.sources")),):
        for line in file.read_text().splitlines():
            if line.startswith("URIs:"):
                return [line.split()[1]]
    return []


def _trust_what_this_machine_trusts(root: Path) -> None:
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.is_file():
        shutil.copy(bundle, root / "etc/ssl/certs/ca-certificates.crt")
    for key, value in client_settings().items():
        if key.startswith(("PIP_CERT", "SSL_CERT", "REQUESTS_CA")) and Path(value).is_file():
            target = root / value.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(value, target)
