"""Mixed precision against brute force."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.mixed import least_loss, loss_front

Array = NDArray[np.float64]

RESNET18 = Path(__file__).parents[1] / "data" / "hawq_resnet18.csv"


def totals(values: Array, options: NDArray[np.intp]) -> Array:
    """Sums over layers [assignment] of ``values`` [layer, option]."""
    return values[np.arange(len(values)), options].sum(axis=1)


def every_assignment(layers: int, options: int, ties: NDArray[np.intp]) -> NDArray[np.intp]:
    """All assignments [assignment, layer] in which tied layers agree."""
    labels, group = np.unique(ties, return_inverse=True)
    return np.array(list(product(range(options), repeat=len(labels))))[:, group]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Losses, costs, limits and ties of up to 8 layers x 4 options (4**7 assignments), with equal values and bars."""
    layers, options, limits = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        loss, costs = random.lognormal(0, 3, (layers, options)), random.lognormal(0, 2, (limits, layers, options))
    else:
        loss, costs = (
            random.integers(-2, 5, (layers, options)) / 4,
            random.integers(0, 5, (limits, layers, options)) / 2,
        )
    if options > 1 and draw(st.booleans()):
        loss[random.random(loss.shape) < 0.1] = np.inf
        costs[:, random.random(loss.shape) < 0.05] = np.inf
    groups = draw(st.integers(1, min(layers, 6 if options == 4 else 8)))
    ties = random.integers(0, groups, layers)
    finite = np.where(np.isinf(costs), 0, costs)
    low, high = finite.min(axis=2).sum(axis=1), finite.max(axis=2).sum(axis=1)
    return loss, costs, low + draw(st.floats(0, 0.7)) * (high - low), ties


@given(problems())
@settings(max_examples=300, deadline=None)
def test_the_least_loss_is_that_of_brute_force(problem: tuple[Array, Array, Array, NDArray[np.intp]]) -> None:
    loss, costs, limits, ties = problem
    options = every_assignment(*loss.shape, ties)
    sums = np.array([totals(cost, options) for cost in costs])
    within = (sums <= limits[:, None] * (1 + 1e-12)).all(axis=0)
    losses = totals(loss, options)[within]
    if not np.isfinite(losses).any():
        with pytest.raises(InputError):
            least_loss(loss, costs, limits, ties)
        return
    found = least_loss(loss, costs, limits, ties)
    assert found.loss == pytest.approx(losses.min(), rel=1e-9, abs=1e-12)
    assert found.loss == pytest.approx(totals(loss, found.options[None])[0])
    assert found.costs == pytest.approx([totals(cost, found.options[None])[0] for cost in costs])
    assert (found.costs <= limits * (1 + 1e-12)).all()
    assert all(len(set(found.options[ties == label])) == 1 for label in ties)
    assert found.proved
    assert 0 <= found.gap <= 1e-9 * max(1, np.max(loss[np.isfinite(loss)]))


@given(problems(), st.sampled_from([0, 0.01, 0.5]))
@settings(max_examples=300, deadline=None)
def test_the_front_is_that_of_brute_force(
    problem: tuple[Array, Array, Array, NDArray[np.intp]], epsilon: float
) -> None:
    loss, costs, _, ties = problem
    options = every_assignment(*loss.shape, ties)
    points = np.stack([totals(costs[0], options), totals(loss, options)], axis=1)
    points = np.unique(points[np.isfinite(points).all(axis=1)], axis=0)
    if not len(points):
        with pytest.raises(InputError, match="has no option"):
            loss_front(loss, costs[0], ties, epsilon)
        return
    front = loss_front(loss, costs[0], ties, epsilon)
    assert front.cost == pytest.approx(totals(costs[0], front.options))
    assert front.loss == pytest.approx(totals(loss, front.options))
    assert (np.diff(front.cost) > 0).all()
    assert (np.diff(front.loss) < 0).all()
    for label in ties:
        assert (np.ptp(front.options[:, ties == label], axis=1) == 0).all()
    best = np.minimum.accumulate(points[:, 1])
    exact = points[np.concatenate([[True], best[1:] < best[:-1] - 1e-12 * np.abs(best[1:])])]
    least = points[:, 1].min()
    for cost, value in exact:
        affordable = front.loss[front.cost <= cost * (1 + 1e-12)]
        assert affordable.min() - least <= (1 + epsilon) * (value - least) + 1e-9 * (1 + abs(value))
    if not epsilon:
        assert np.isin(front.cost.round(9), points[:, 0].round(9)).all()


@pytest.mark.parametrize("seed", range(6))
def test_eight_layers_of_four_options(seed: int) -> None:
    """The largest problems that are tried in full, 65,536 assignments; every third has many equal values."""
    random = np.random.default_rng(seed)
    loss, costs = random.lognormal(0, 2, (8, 4)), random.lognormal(0, 1, (2, 8, 4))
    if seed % 3 == 0:
        loss, costs = loss.round(), costs.round()
    options = every_assignment(8, 4, np.arange(8))
    sums = np.array([totals(cost, options) for cost in costs])
    limits = np.quantile(sums, random.uniform(0.02, 0.6), axis=1)
    losses = totals(loss, options)
    within = (sums <= limits[:, None] * (1 + 1e-12)).all(axis=0)
    assert least_loss(loss, costs, limits).loss == pytest.approx(losses[within].min(), rel=1e-9)
    front = loss_front(loss, costs[0])
    order = np.lexsort((losses, sums[0]))
    best = np.minimum.accumulate(losses[order])
    at = np.searchsorted(front.cost, sums[0][order] * (1 + 1e-12), side="right") - 1
    assert front.loss[at] == pytest.approx(best, rel=1e-9)


def resnet18() -> tuple[Array, Array, NDArray[np.intp]]:
    """HAWQ's ResNet-18 at 8 and 4 bits: loss, costs (parameter bits, bit operations, latency), ties."""
    table = pd.read_csv(RESNET18)
    loss = table["hessian_trace"].to_numpy()[:, None] * table[["dw2_int8", "dw2_int4"]].to_numpy()
    costs = np.stack(
        [
            table["params_m"].to_numpy()[:, None] * [8, 4],
            table["bops_m"].to_numpy()[:, None] / [16, 64],
            table[["latency_int8", "latency_int4"]].to_numpy(),
        ]
    )
    return loss, costs, table["tied_to"].fillna(table["layer"]).to_numpy(int)


@pytest.mark.parametrize("limited", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_resnet18_of_hawq(limited: list[int]) -> None:
    """Halfway between all layers at 4 and all at 8 bits, every one of the 65,536 assignments is tried."""
    loss, costs, ties = resnet18()
    options = every_assignment(*loss.shape, ties)
    assert len(options) == 65_536
    limits = costs[limited].sum(axis=1).mean(axis=1)
    within = np.all([totals(costs[c], options) <= limit for c, limit in zip(limited, limits, strict=True)], axis=0)
    losses = totals(loss, options)
    found = least_loss(loss, costs[limited], limits, ties)
    assert found.proved
    assert found.loss == pytest.approx(losses[within].min(), rel=1e-12)
    front = [loss_front(loss, costs[c], ties) for c in limited]
    if len(limited) == 1:
        assert front[0].loss[front[0].cost <= limits[0]].min() == pytest.approx(found.loss, rel=1e-12)


def test_losses_that_differ_by_orders_of_magnitude() -> None:
    """One layer's loss is 1e12 times the others': more than a solver's tolerance tells apart."""
    random = np.random.default_rng(0)
    loss, cost = random.random((8, 3)), random.integers(1, 9, (8, 3)).astype(float)
    loss[0], cost[0] = (1e12, 2e12, 0), 1
    options = every_assignment(8, 3, np.arange(8))
    limit = (cost.min(axis=1).sum() + cost.mean(axis=1).sum()) // 2
    within = totals(cost, options) <= limit
    expected = totals(loss, options)[within].min()
    assert expected < 10
    assert least_loss(loss, [cost], [limit]).loss == pytest.approx(expected, rel=1e-9)


def test_epsilon_shortens_the_front() -> None:
    random = np.random.default_rng(1)
    bits = np.array([2, 3, 4, 6, 8])
    loss, cost = random.lognormal(0, 1, (30, 1)) / 4.0**bits, random.random((30, 1)) * bits
    exact, near = loss_front(loss, cost), loss_front(loss, cost, epsilon=0.2)
    assert len(near.loss) < len(exact.loss) / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": [1, 2]}, r"loss has shape \(2,\)"),
        ({"loss": [[np.nan, 0], [0, 0]]}, "a loss is NaN"),
        ({"loss": [[np.inf, np.inf], [0, 0]]}, "layer 0 has no option"),
        ({"costs": [[[1, 2]]]}, r"costs have shape \(1, 2\)"),
        ({"costs": [[[1, -np.inf], [0, 0]]]}, "a cost is NaN or minus infinity"),
        ({"limits": [1, 2]}, "one number for each of the 1 costs"),
        ({"limits": [np.nan]}, "one number for each of the 1 costs"),
        ({"limits": [1.5]}, "limit 0 = 1.5 cannot be met: the least that the layers cost is 2"),
        ({"ties": [0]}, "a label for each of the 2 layers"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    good = {"loss": [[0, 1], [0, 1]], "costs": [[[2, 1], [2, 1]]], "limits": [3]}
    with pytest.raises(InputError, match=message):
        least_loss(**{**good, **change})  # type: ignore[arg-type]


def test_limits_that_exclude_each_other() -> None:
    costs = [[[2, 1], [2, 1]], [[1, 2], [1, 2]]]
    with pytest.raises(InputError, match="no assignment meets all limits together"):
        least_loss(np.zeros((2, 2)), costs, [2, 2])


def test_a_limit_holds_more_exactly_than_the_solver() -> None:
    loss, cost = [[0, 1], [0, 2]], [[0.5, 0.1], [0.5, 0.1]]
    assert least_loss(loss, [cost], [1]).options.tolist() == [0, 0]
    assert least_loss(loss, [cost], [1 - 1e-9]).options.tolist() == [1, 0]


def test_no_time_gives_no_assignment() -> None:
    random = np.random.default_rng(2)
    loss, costs = random.lognormal(0, 1, (60, 12)), random.lognormal(0, 1, (3, 60, 12))
    limits = costs.mean(axis=2).sum(axis=1) * 0.6
    with pytest.raises(InputError, match="was found in 1e-09 s; raise time_limit_s"):
        least_loss(loss, costs, limits, time_limit_s=1e-9)


def test_a_search_that_is_cut_short_gives_its_gap() -> None:
    """A knapsack with ten limits, correlated with the gain, takes far longer to prove."""
    random = np.random.default_rng(3)
    weights = random.integers(1, 1000, (10, 100)).astype(float)
    costs = np.stack([weights, np.zeros_like(weights)], axis=-1)
    loss = np.stack([np.zeros(100), weights.mean(axis=0) + 500 * random.random(100)], axis=-1)
    found = least_loss(loss, costs, weights.sum(axis=1) // 2, time_limit_s=1)
    assert 0 < found.gap < 0.1 * found.loss
    assert not found.proved


def test_epsilon_must_be_a_number() -> None:
    with pytest.raises(InputError, match="epsilon = -1"):
        loss_front([[0, 1]], [[1, 0]], epsilon=-1)
