"""Builds a target of the Containerfile as a root file system, step by step as it is written."""

import fnmatch
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.setup.paths import NODE_MODULES, ROOT
from tests.image.containerfile import Copy, Run, Stage, Step, stages_of
from tests.image.root_file_system import client_settings, copy_root, entering, make_debian

_HERE: Final = ROOT / "cluster" / "kubernetes"
TARGET: Final = "cpu"

_FRONT_END: Final = "front-end"
"""Its base is an image with npm. What its one step makes of package-lock.json is this checkout's
`node_modules`, which `make setup` made of the same file in the same way."""


class Image:
    """The stages of the Containerfile, each built once in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.stages = stages_of((_HERE / "Containerfile").read_text())
        self._built: dict[str, Path] = {}

    @property
    def target(self) -> Stage:
        """The stage that is run."""
        return self.stages[TARGET]

    def build(self, name: str = TARGET) -> Path:
        """Build a stage after those it needs; return its root.

        Raises:
            RuntimeError: a step failed.
        """
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Path:
        stage = self.stages[name]
        root, stamp = self._folder / name, self._folder / f"{name}.stamp"
        if root.is_dir() and stamp.is_file() and stamp.read_text() == self._fingerprint(name):
            return root
        stamp.unlink(missing_ok=True)
        if name == _FRONT_END:
            _copy(NODE_MODULES, root / "app" / "node_modules")
        elif stage.base in self.stages:
            copy_root(self.build(stage.base), root)
        else:
            debian = self._folder / "debian"
            make_debian(debian)
            copy_root(debian, root)
        for step in [] if name == _FRONT_END else stage.steps:
            self._take(step, root, stage)
        (root / stage.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        stamp.write_text(self._fingerprint(name))
        return root

    def _fingerprint(self, name: str) -> str:
        """Return a digest of all that a stage is made of: its steps, and the files they take."""
        if name not in self.stages:
            return name
        stage = self.stages[name]
        digest = hashlib.sha256(f"{self._fingerprint(stage.base)} {stage}".encode())
        for step in stage.steps:
            if isinstance(step, Run):
                continue
            if step.stage is not None:
                digest.update(self._fingerprint(step.stage).encode())
                continue
            for source in step.sources:
                for file in _context() if source == "." else [ROOT / source]:
                    digest.update(str(file).encode() + file.read_bytes())
        return digest.hexdigest()

    def _take(self, step: Step, root: Path, stage: Stage) -> None:
        if isinstance(step, Run):
            _run(step, root)
            return
        for source in step.sources:
            if step.stage is not None:
                _copy(self.build(step.stage) / source.lstrip("/"), _place(step, root, stage))
            elif source == ".":
                for file in _context():
                    _copy_file(file, root / step.target.lstrip("/") / file.relative_to(ROOT))
            else:
                _copy(ROOT / source, _place(step, root, stage) / Path(source).name)


def _place(step: Copy, root: Path, stage: Stage) -> Path:
    folder = Path("/", stage.folder, step.target)
    return root / str(folder).lstrip("/")


def _run(step: Run, root: Path) -> None:
    environment = {**client_settings(), **step.environment}
    (root / step.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    process = entering(root, ["sh", "-c", step.command], environment, folder=step.folder)
    said, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"RUN {step.command} failed with {process.returncode}:\n{said[-3000:]}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", source.resolve(), target], check=True)
    else:
        _copy_file(source, target)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _context() -> Iterator[Path]:
    """Yield the files that .dockerignore lets into the context."""
    rules = [
        line
        for line in (_HERE / "Containerfile.dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    wanted = [line[1:] for line in rules if line.startswith("!")]
    unwanted = [line for line in rules if not line.startswith("!") and line != "*"]
    for name in wanted:
        found = ROOT / name
        for file in [found] if found.is_file() else sorted(found.rglob("*")):
            if file.is_file() and not _ignored(file.relative_to(ROOT), unwanted):
                yield file


def _ignored(file: Path, rules: list[str]) -> bool:
    parts = [str(file), *map(str, file.parents)]
    return any(
        fnmatch.fnmatch(part, rule) or fnmatch.fnmatch(f"x/{part}", rule.replace("**/", "*/"))
        for rule in rules
        for part in parts
    )
