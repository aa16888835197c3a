"""A proxy's worth, on networks whose true loss is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.quality.rank_correlation import predicted_increases, random_assignments, rank_correlation


@pytest.fixture(scope="module")
def truth() -> Profile:
    random = np.random.default_rng(0)
    rows = [
        (f"layers.{layer}", operand, format, random.lognormal())
        for layer in range(8)
        for operand in ("weights", "activations")
        for format in ("int4", "int6", "int8")
    ]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    return Profile(network="made up", metric="nats", proxy="one_at_a_time", source="lognormal", table=table)


def changed(profile: Profile, increases: object) -> Profile:
    return replace(profile, table=profile.table.assign(loss_increase=increases))


def test_assignments_draw_every_format_of_every_operand(truth: Profile) -> None:
    drawn = random_assignments(truth, 600, seed=1)
    assert drawn.shape == (600, 16)
    for column in drawn:
        assert drawn[column].value_counts().reindex(["int4", "int6", "int8"]).between(140, 260).all()
    assert drawn.equals(random_assignments(truth, 600, seed=1))
    assert not drawn.equals(random_assignments(truth, 600, seed=2))


def test_predictions_are_sums(truth: Profile) -> None:
    drawn = random_assignments(truth, 5)
    expected = [sum(truth.increases[(*key, row[key])] for key in drawn.columns) for row in drawn.to_dict("records")]
    assert predicted_increases(truth, drawn) == pytest.approx(expected)


def test_the_truth_ranks_perfectly_whatever_the_scale(truth: Profile) -> None:
    drawn = random_assignments(truth, 100)
    measured = predicted_increases(truth, drawn)
    assert rank_correlation(truth, drawn, np.expm1(measured)) == pytest.approx(1)
    assert rank_correlation(truth, drawn, -measured) == pytest.approx(-1)


def test_a_proxy_is_worth_less_the_more_noise_it_has(truth: Profile) -> None:
    random, drawn = np.random.default_rng(2), random_assignments(truth, 400)
    measured = predicted_increases(truth, drawn)
    noise = random.standard_normal(len(truth.table))
    log = np.log(truth.table["loss_increase"])
    worth = [rank_correlation(changed(truth, np.exp(log + s * noise)), drawn, measured) for s in (0.1, 0.7, 2)]
    assert worth[0] > 0.97
    assert worth[0] > worth[1] > worth[2]
    unrelated = changed(truth, random.permutation(truth.table["loss_increase"]))
    assert rank_correlation(unrelated, drawn, measured) < worth[1]


def test_what_has_no_rank_is_refused(truth: Profile) -> None:
    drawn = random_assignments(truth, 4)
    with pytest.raises(InputError, match=r"\(3,\) measurements of 4 assignments"):
        rank_correlation(truth, drawn, [1, 2, 3])
    with pytest.raises(InputError, match="of 3 or more"):
        rank_correlation(truth, drawn[:2], [1, 2])
    with pytest.raises(InputError, match="not finite"):
        rank_correlation(truth, drawn, [1, 2, 3, np.nan])
    with pytest.raises(InputError, match="all measured loss increases are 1"):
        rank_correlation(truth, drawn, [1, 1, 1, 1])
    with pytest.raises(InputError, match="all predicted loss increases are 0"):
        rank_correlation(changed(truth, 0.0), drawn, [1, 2, 3, 4])
    with pytest.raises(InputError, match=r"of made up has no row for layers\.0 weights fp8"):
        predicted_increases(truth, drawn.replace(["int4", "int6", "int8"], "fp8"))
