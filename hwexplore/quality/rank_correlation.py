"""What a proxy is worth: its rank correlation with the loss increases that random assignments really bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile

__all__ = ["predicted_increases", "random_assignments", "rank_correlation"]


def random_assignments(profile: Profile, count: int, seed: int = 0) -> pd.DataFrame:
    """``count`` assignments: a row each, a column per (layer, operand) of ``profile`` with the text of a format of its.

    Every format is as likely as any other, independently in every column.
    """
    random = np.random.default_rng(seed)
    choices = profile.table.groupby(["layer", "operand"], sort=False)["format"]
    drawn = {key: random.choice(formats.to_numpy(object), count) for key, formats in choices}
    return pd.DataFrame(drawn).rename_axis(columns=["layer", "operand"])


def predicted_increases(profile: Profile, assignments: pd.DataFrame) -> NDArray[np.float64]:
    """Predicted loss increase [assignment]: the sum over the columns (layer, operand) of ``assignments``.

    Raises InputError for a format that the profile does not know there.
    """
    for key in assignments.columns:
        for text in assignments[key].unique():
            if (*key, text) not in profile.increases:
                raise InputError(f"the profile of {profile.network} has no row for {' '.join((*key, text))}")
    rows = assignments.itertuples(index=False, name=None)
    keys = list(assignments.columns)
    return np.array([sum(profile.increases[(*key, text)] for key, text in zip(keys, row, strict=True)) for row in rows])


def rank_correlation(profile: Profile, assignments: pd.DataFrame, measured: ArrayLike) -> float:
    """Spearman's rank correlation of predicted with ``measured`` loss increases [assignment], from -1 to 1.

    Raises InputError for fewer than three assignments, and where all predictions or all measurements are equal.
    """
    measured = np.asarray(measured, float)
    predicted = predicted_increases(profile, assignments)
    if measured.shape != predicted.shape or len(measured) < 3:
        raise InputError(
            f"{measured.shape} measurements of {len(predicted)} assignments; expected one each, of 3 or more"
        )
    if not np.isfinite(measured).all():
        raise InputError("a measured loss increase is not finite; leave its assignment out")
    for name, values in (("predicted", predicted), ("measured", measured)):
        if np.ptp(values) == 0:
            raise InputError(f"all {name} loss increases are {values[0]:g}: equal values have no ranks to correlate")
    return float(pd.Series(predicted).corr(pd.Series(measured), method="spearman"))
