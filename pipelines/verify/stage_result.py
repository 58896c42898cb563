"""What a verification found of one stage of the map in one partition."""

from dataclasses import dataclass, field

from pipelines.verify.result import DIFFERENCES_KEPT, Difference


@dataclass
class StageRow:
    """The accounts of one stage and partition, as far as that stage says it came.

    ``checked`` counts what was compared, by name; ``lost`` and ``doubled`` count the stage's own
    outputs, ``wrong`` every other difference. ``lag`` is the stage's input, in records, that it
    has not yet processed. ``notes`` say what could not be checked, and why.
    """

    stage: str
    partition: int
    checked: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    lag: int = 0
    notes: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list, repr=False)

    def add(self, difference: Difference, count: int = 1) -> None:
        """Count a difference, and keep it if it is one of the first."""
        setattr(self, difference.kind, getattr(self, difference.kind) + count)
        if len(self.differences) < DIFFERENCES_KEPT:
            self.differences.append(difference)
