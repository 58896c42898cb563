"""What synthetic sensors and the service do now; a test changes it while the page runs."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class World:
    """``*_problem``: the detail with which the api refuses that."""

    sensors: list[str]
    clock_offset_s: dict[str, float] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    last_frame_s_ago: float = 0
    dropped: dict[str, int] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    signed_out: bool = False
    role: str = "admin"
    expires_in_s: float = 8 * 3600
    problem: str | None = None
    alarm: str | None = None
    not_ready: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    lost: int = 0
    sessions: int = 60
    sessions_problem: str | None = None
    samples_problem: str | None = None
    letters: int = 130
    redriven: set[int] = field(default_factory=set)
    letters_problem: str | None = None
    models: bool = True
    stable: str = "2"
    models_problem: str | None = None
    commands: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    command_answers: bool = True
    refuse_changes: str | None = None
    """The detail with which every change is refused."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """Every change that was asked for: method, path, body, key."""

    def renew(self) -> None:
        """Become the world that every test begins with."""
        self.__dict__.update(World([f"sensor{number}" for number in range(1, 21)]).__dict__)
