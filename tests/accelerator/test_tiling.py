from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import permutations, product
from math import ceil, inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.accelerator.tiling import STAYS, Products, Tiling, best_tiling

OPERANDS = {"a": "mk", "b": "nk", "sum": "mn"}
WIDTHS = [0.25, 0.5, 1, 2, 4]
PROBLEM = {
    **{name: st.integers(1, 24) for name in "mnk"},
    **{f"unit_{name}": st.integers(1, 9) for name in "mnk"},
    **{f"{operand}_{each}": st.sampled_from(WIDTHS) for operand in OPERANDS for each in ("bytes", "width")},
    "space": st.integers(12, 48).map(lambda quarter: 2.0 ** (quarter / 4)),
}
"""Bytes in DRAM are those of an element; space from 8 bytes to 4 KiB."""


def solve(*problems: dict[str, Any]) -> Tiling:
    columns = {name: np.array([problem[name] for problem in problems], float) for name in PROBLEM}
    for operand, (first, second) in OPERANDS.items():
        columns[f"{operand}_bytes"] *= columns[first] * columns[second]
    return best_tiling(Products(**columns))


def sides(unit: int, whole: int) -> list[int]:
    return [*range(unit, whole, unit), whole]


def tilings(p: dict[str, Any]) -> Iterator[dict[str, int]]:
    """All that fit."""
    for sizes in product(*(sides(p[f"unit_{name}"], p[name]) for name in "mnk")):
        tile = dict(zip("mnk", sizes, strict=True))
        if sum(tile[i] * tile[j] * p[f"{name}_width"] for name, (i, j) in OPERANDS.items()) <= p["space"]:
            yield tile


def moved_again(p: dict[str, Any], tile: dict[str, int], order: tuple[str, ...]) -> float:
    """Bytes beyond A, B and outputs once, by the rule: a loop outside any that moves the operand's tile repeats it."""
    trips = {name: ceil(p[name] / tile[name]) for name in "mnk"}
    total = 0.0
    for operand, lines in OPERANDS.items():
        inside, repeats = 1, 1
        for loop in reversed(order):
            if loop in lines:
                inside *= trips[loop]
            elif inside > 1:
                repeats *= trips[loop]
        size = p[f"{operand}_bytes"] * p[lines[0]] * p[lines[1]]
        total += (repeats - 1) * size * (2 if operand == "sum" else 1)
    return total


def walked_again(p: dict[str, Any], tile: dict[str, int], order: tuple[str, ...]) -> float:
    """The same by walking from tile to tile, one of each operand in the buffer, and counting what moves."""
    held: dict[str, tuple[int, ...]] = {}
    touched: set[tuple[int, ...]] = set()
    moved = 0.0
    for starts in product(*(range(0, p[loop], tile[loop]) for loop in order)):
        at = dict(zip(order, starts, strict=True))
        for operand, lines in OPERANDS.items():
            place = tuple(at[line] for line in lines)
            if held.get(operand) == place:
                continue
            held[operand] = place
            area = float(np.prod([min(tile[line], p[line] - at[line]) for line in lines]))
            if operand != "sum":
                moved += area * p[f"{operand}_bytes"]
            elif place in touched:
                moved += 2 * area * p["sum_bytes"]  # written when it was left, read now
            touched |= {place} if operand == "sum" else set()
    once = sum(p[name] * p["k"] * p[f"{operand}_bytes"] for name, operand in (("m", "a"), ("n", "b")))
    return moved - once


def check(p: dict[str, Any], found: Tiling, at: int) -> None:
    every = [moved_again(p, tile, order) for tile in tilings(p) for order in permutations("mnk")]
    assert found.again_bytes[at] == pytest.approx(min(every, default=inf), rel=1e-12)
    tile = {name: int(getattr(found, f"tile_{name}")[at]) for name in "mnk"}
    if not every:
        assert tile == {"m": 0, "n": 0, "k": 0}
        return
    assert tile in list(tilings(p))
    walked = [walked_again(p, tile, order) for order in permutations("mnk")]
    assert found.again_bytes[at] == pytest.approx(min(walked), rel=1e-12)
    streamed = {"activations": "n", "weights": "m", "outputs": "k"}[STAYS[found.stays[at]]]
    order = (*(loop for loop in "mnk" if loop != streamed), streamed)
    assert found.again_bytes[at] >= walked_again(p, tile, order) - 1e-9
    by_operand = (
        p["m"] * p["k"] * p["a_bytes"] * (found.a_passes[at] - 1)
        + p["n"] * p["k"] * p["b_bytes"] * (found.b_passes[at] - 1)
        + 2 * p["m"] * p["n"] * p["sum_bytes"] * (found.sum_passes[at] - 1)
    )
    assert found.again_bytes[at] == pytest.approx(by_operand, rel=1e-12)


def test_the_least_of_all_tilings_and_orders_on_200_problems() -> None:
    rng = np.random.default_rng(0)
    problems = [
        {
            **{name: int(rng.integers(1, 33)) for name in "mnk"},
            **{f"unit_{name}": int(rng.integers(1, 9)) for name in "mnk"},
            **{f"{operand}_{each}": float(rng.choice(WIDTHS)) for operand in OPERANDS for each in ("bytes", "width")},
            "space": 2.0 ** rng.uniform(5, 12),
        }
        for _ in range(200)
    ]
    found = solve(*problems)
    for at, problem in enumerate(problems):
        check(problem, found, at)
    assert 20 < np.isinf(found.again_bytes).sum() + (found.again_bytes == 0).sum() < 150
    assert set(found.stays[np.isfinite(found.again_bytes)]) == {0, 1, 2}


@given(st.fixed_dictionaries(PROBLEM))
def test_the_least_of_all_tilings_and_orders(problem: dict[str, Any]) -> None:
    check(problem, solve(problem), 0)


def test_many_passes_stay_within_their_bound() -> None:
    """A buffer for a few elements: thousands of passes, of which not every number is tried."""
    rng = np.random.default_rng(1)
    for m, n, k in rng.integers(20_000, 60_000, (20, 3)).tolist():
        problem = {"m": m, "n": n, "k": k, "unit_m": 1, "unit_n": 1, "unit_k": 1, "space": float(rng.integers(64, 999))}
        problem |= {f"{operand}_{each}": 1.0 for operand in OPERANDS for each in ("bytes", "width")}
        least = inf
        for first, second in permutations("mnk", 2):
            cost = {"m": n * k, "n": m * k, "k": 2 * m * n}
            side = np.arange(1, problem["space"] // 2)
            other = np.floor((problem["space"] - side) / (side + 1))
            fits = other >= 1
            total = cost[first] * (np.ceil(problem[first] / side[fits]) - 1)
            total += cost[second] * (np.ceil(problem[second] / other[fits]) - 1)
            least = min(least, total.min())
        found = solve(problem).again_bytes[0]
        assert least <= found <= least * (1 + 1 / 256)


@settings(max_examples=25)
@given(st.lists(st.fixed_dictionaries(PROBLEM), min_size=2, max_size=8))
def test_problems_do_not_touch_each_other(problems: list[dict[str, Any]]) -> None:
    together = solve(*problems)
    for at, problem in enumerate(problems):
        for field in fields(Tiling):
            assert getattr(together, field.name)[at] == getattr(solve(problem), field.name)[0]


@given(st.fixed_dictionaries(PROBLEM))
def test_a_larger_buffer_never_moves_more(problem: dict[str, Any]) -> None:
    again = solve(*({**problem, "space": 2.0 ** (quarter / 4)} for quarter in range(12, 60))).again_bytes
    finite = again[np.isfinite(again)]
    assert np.all(np.diff(finite) <= 0)
    assert again[-1] == 0
    assert np.isfinite(again[len(again) - len(finite) :]).all()


def by_hand(**values: float) -> Tiling:
    """One byte an element, unit tiles."""
    p = {**dict.fromkeys(PROBLEM, 1), **values}
    return solve(p)


@pytest.mark.parametrize(
    ("values", "stays", "tile", "again"),
    [
        # a matrix by a vector: the vector stays, each weight comes once
        ({"n": 100, "k": 64, "space": 64 + 64 + 1}, "activations", (1, 1, 64), 0),
        # the vector does not fit, but all outputs do
        ({"n": 30, "k": 64, "space": 30 + 30 + 1}, "outputs", (1, 30, 1), 0),
        # half of the weights' columns stay, so A comes twice
        ({"m": 100, "n": 8, "k": 16, "sum_width": 4, "space": 64 + 16 + 16}, "weights", (1, 4, 16), 100 * 16),
        # nothing fits: blocks of 8 x 8 outputs
        ({"m": 64, "n": 64, "k": 64, "space": 80}, "outputs", (8, 8, 1), 2 * 7 * 64 * 64),
        # depthwise: nine weights stay, pixels stream past
        ({"m": 3136, "n": 1, "k": 9, "space": 20}, "weights", (1, 1, 9), 0),
    ],
)
def test_by_hand(values: dict[str, float], stays: str, tile: tuple[int, ...], again: float) -> None:
    found = by_hand(**values)
    assert STAYS[found.stays[0]] == stays
    assert (found.tile_m[0], found.tile_n[0], found.tile_k[0]) == tile
    assert found.again_bytes[0] == again


def test_too_small_for_any_tile() -> None:
    found = by_hand(m=8, n=8, k=8, unit_m=2, unit_n=3, unit_k=4, space=2 * 4 + 3 * 4 + 2 * 3 - 1)
    assert (found.tile_m[0], found.again_bytes[0], found.a_passes[0]) == (0, inf, inf)
