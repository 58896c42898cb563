"""Compare predictions with what the model says of the same samples, one sensor after the other."""

import numpy as np

from pipelines.predictions import ModelId
from pipelines.verify.offline_model import OfflineModels, differing
from pipelines.verify.predicted_rows import Predicted
from pipelines.verify.prediction_fates import Part, Past
from pipelines.verify.prediction_report import PredictionReport
from pipelines.verify.row_matching import Expected
from pipelines.verify.sample_runs import SampleRead


class ValueCheck:
    """The sampled sensors of one partition; ``values`` counts the predictions compared."""

    def __init__(self, models: OfflineModels, report: PredictionReport) -> None:
        self._models = models
        self._report = report
        self._missing: set[ModelId] = set()
        self.values = 0

    def predicted(
        self,
        part: Part,
        past: Past,
        rows: Predicted,
        id_: ModelId | None,
        at_zero: bool,
        lossy: bool,
        found: SampleRead,
    ) -> None:
        """Run the model over a part, and compare.

        Args:
            part: which rows.
            past: of their sensor; its state is moved on.
            rows: what was published of them.
            id_: the model that they name; None where they are lost.
            at_zero: whether the state begins at zero with the first.
            lossy: whether some of them are lost.
            found: the samples.

        Raises:
            UnavailableError: the model store does not answer.
        """
        if id_ is None:
            past.state_known = False
        if past.model is None or not past.state_known or id_ is None:
            return
        opened = self._models.get(id_)
        if opened is None:
            self._say_missing(id_)
            past.state_known = False
            return
        model, session = opened
        if at_zero:
            past.model.begin(model)
        raw = found.features(part.run, model.features, part.start, part.start + part.rows)
        said = past.model.run(model, session, raw)
        if lossy:
            return
        self.values += part.rows
        wrong = np.flatnonzero(differing(said, np.stack([rows.velocity, rows.moving], axis=1)))
        if len(wrong):
            at = int(wrong[0])
            what = f"{len(wrong)} predictions are not what the model says (velocity "
            what += f"{rows.velocity[at]:.6g}, not {said[at, 0]:.6g})"
            place = Expected(rows.sensor, rows.boot, rows.number)
            self._report.sample("wrong", what, place, at, len(wrong))
            past.state_known = False

    def without_number(
        self, part: Part, past: Past, id_: ModelId | None, found: SampleRead
    ) -> None:
        """See that the model gives no number for the first row of a part; raises as above."""
        known = past.model is not None and past.state_known and id_ is not None
        opened = self._models.get(id_) if known and id_ is not None else None
        if opened is None or past.model is None:
            return
        model, session = opened
        if part.anew or past.at_zero:
            past.model.begin(model)
        raw = found.features(part.run, model.features, part.start, part.start + 1)
        if np.isfinite(past.model.run(model, session, raw)).all():
            sample = (part.run.sensor, part.run.boot, part.run.first + part.start)
            rows = Expected(*(np.array([number]) for number in sample))
            self._report.sample("wrong", "the model gives a number for a dead letter", rows, 0)

    def _say_missing(self, model: ModelId) -> None:
        if model in self._missing:
            return
        self._missing.add(model)
        name, version, sha256 = model
        what = f"the store has no model {name} version {version} of SHA-256 {sha256}"
        self._report.add("wrong", what + ": its predictions cannot be proved")
