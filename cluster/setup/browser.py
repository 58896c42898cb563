"""Chromium for the browser tests: the system's, or one unpacked into `.tools`."""

from cluster.setup.debian_packages import unpack
from cluster.setup.paths import DEBIAN_ROOT, TOOLS
from cluster.setup.step import Step, run_tool
from cluster.setup.tools import unpacked_libraries, which

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_WRAPPER = TOOLS / "bin" / "chromium"
_FONTS = "fonts-dejavu-core"


def browser() -> Step:
    """The step that sees to Chromium; `make test` has `.tools/bin` on its PATH."""
    return Step(
        name="browser",
        title="Chromium for the browser tests",
        inputs=(),
        is_there=lambda: _WRAPPER.is_file() or any(map(which, _NAMES)),
        install=_install,
    )


def _install() -> None:
    if any(map(which, _NAMES)):
        return
    unpack("chromium", "Chromium")
    unpack(_FONTS, "a font for Chromium")
    libraries = "".join(f'export {key}="{value}"\n' for key, value in unpacked_libraries().items())
    # The package's own start script looks for its parts under /usr and /etc.
    _WRAPPER.parent.mkdir(parents=True, exist_ok=True)
    _WRAPPER.write_text(
        "#!/bin/sh\n"
        f"{libraries}"
        f'[ -d /etc/fonts ] || export FONTCONFIG_PATH="{DEBIAN_ROOT}/etc/fonts"\n'
        f'export XDG_DATA_DIRS="{DEBIAN_ROOT}/usr/share:/usr/local/share:/usr/share"\n'
        f'exec "{DEBIAN_ROOT}/usr/lib/chromium/chromium" "$@"\n'
    )
    _WRAPPER.chmod(0o755)
    run_tool([_WRAPPER, "--version"])
