"""How much is trained, on what, from which seed: the arguments of a training run."""

from dataclasses import asdict, dataclass

from pipelines.errors import ConfigurationError

_MOST_VALIDATION = 32


@dataclass(frozen=True)
class Plan:
    """A training run; the same plan gives the same data, and on one machine the same weights.

    bodies:         training bodies; validation has an eighth as many, 32 at most
    held_out:       bodies that only the final figures see
    mixed_share:    share of the bodies that do every activity in turn
    lanes, steps:   sequences of one update, and samples of each (back-propagation is cut there)
    change_share:   how often a lane changes its body, a chunk
    """

    seed: int = 0
    hidden_units: int = 32
    bodies: int = 1_024
    held_out: int = 32
    mixed_share: float = 0.75
    lanes: int = 64
    steps: int = 400
    updates: int = 1_500
    change_share: float = 0.02
    learning_rate: float = 4e-3
    validate_every: int = 100
    loop_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ConfigurationError: a number is too small; the message names it.
        """
        for name, least in (("seed", 0), ("hidden_units", 1), ("bodies", 8), ("held_out", 1)):
            self._check(name, least)
        for name in ("lanes", "steps", "updates"):
            self._check(name, 1)

    def _check(self, name: str, least: int) -> None:
        if getattr(self, name) < least:
            raise ConfigurationError(
                f"training option {name}: must be {least} or more (got {getattr(self, name)})"
            )

    @property
    def validation(self) -> int:
        """How many bodies choose among the weights."""
        return min(self.bodies // 8, _MOST_VALIDATION)

    def facts(self) -> dict[str, int | float]:
        """Return the plan as model.json holds it."""
        return asdict(self)
