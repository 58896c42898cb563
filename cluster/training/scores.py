"""Numbers that say how good an answer is."""

import numpy as np
import numpy.typing as npt


def rmse(found: npt.NDArray[np.float32], true: npt.NDArray[np.float32]) -> float:
    """Return the root of the mean squared error, in the unit of both."""
    return float(np.sqrt(np.mean((found.astype(np.float64) - true) ** 2)))


def accuracy(probability: npt.NDArray[np.float32], true: npt.NDArray[np.bool_]) -> float:
    """Return the share that a threshold of 0.5 puts right."""
    return float(np.mean((probability > 0.5) == true))


def auc(probability: npt.NDArray[np.float32], true: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: how surely a positive ranks above a negative.

    By the Mann-Whitney statistic, ties counted half. NaN where there is only one kind.
    """
    flat, positive = probability.ravel(), true.ravel()
    _, place, count = np.unique(flat, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    total = float(ranks[place[positive]].sum())
    return (total - positives * (positives + 1) / 2) / (positives * negatives)
