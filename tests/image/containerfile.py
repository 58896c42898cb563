"""Reads a Containerfile's stages: only what ours uses, and no more than is asked of them here."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Copy(NamedTuple):
    """A COPY: from where (None for the context), what, and where to."""

    stage: str | None
    sources: tuple[str, ...]
    target: str


class Run(NamedTuple):
    """A RUN, with the environment it has."""

    command: str
    environment: dict[str, str]
    folder: str


Step = Copy | Run


@dataclass
class Stage:
    """A stage: the one it starts from, its own steps, and what it leaves to those after it."""

    base: str
    steps: list[Step] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"


_INSTRUCTION = re.compile(r"([A-Z]+)\s+(.*)", re.DOTALL)


def stages_of(text: str) -> dict[str, Stage]:
    """Return the stages by name.

    Raises:
        ValueError: an instruction is none that is known here.
    """
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage = Stage("")
    for name, rest in _instructions(text):
        words = shlex.split(rest)
        if name == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
        elif name == "FROM":
            image, _, called = words
            base = arguments.get(image.strip("${}"), image)
            known = stages.get(base)
            stage = Stage(base)
            if known is not None:
                stage.environment, stage.folder = dict(known.environment), known.folder
                stage.user = known.user
            stages[called] = stage
        elif name == "ENV":
            stage.environment.update(word.split("=", 1) for word in words)
        elif name == "WORKDIR":
            stage.folder = rest
        elif name == "USER":
            stage.user = rest
        elif name == "COPY":
            stage.steps.append(_copy(words))
        elif name == "RUN":
            stage.steps.append(Run(rest, dict(stage.environment), stage.folder))
        elif name != "CMD":
            raise ValueError(f"{name} is not known here")
    return stages


def _copy(words: list[str]) -> Copy:
    stage = None
    if words[0].startswith("--from="):
        stage = words.pop(0).removeprefix("--from=")
    return Copy(stage, tuple(words[:-1]), words[-1])


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in kept.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        found = _INSTRUCTION.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"{line!r} is no instruction")
        yield found.group(1), found.group(2)
