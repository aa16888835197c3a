"""Directions that hold whatever the coefficients are."""

from __future__ import annotations

import numpy as np
import pytest

from hwexplore.claims import Claim
from hwexplore.claims.lut_tensor_core import _last_win, _smallest
from hwexplore.pe import PE


@pytest.fixture
def by_name(found: list[Claim]) -> dict[str, Claim]:
    return {claim.name: claim for claim in found}


def _mid(by_name: dict[str, Claim], name: str) -> float:
    return by_name[name].ours.model.mid


def test_the_wider_sum_and_the_float_accumulator_cost_area(by_name: dict[str, Claim]) -> None:
    assert 1 < _mid(by_name, "fp8/fixed-point-area") < _mid(by_name, "fp8/e5m2-fixed-point-area")
    assert 1 < _mid(by_name, "fp8/fp16-area") < _mid(by_name, "fp8/fp32-area")


def test_four_bits_take_less_than_eight(by_name: dict[str, Claim]) -> None:
    for lanes in ("", "-8-lanes"):
        for quantity in ("area", "energy"):
            int8, fp4, int4 = (
                _mid(by_name, f"block-scaled/{format}-{quantity}{lanes}") for format in ("mxint8", "nvfp4", "nvint4")
            )
            assert int4 < min(fp4, int8)


def test_a_group_sum_takes_less_than_the_unit_that_dequantizes_it(by_name: dict[str, Claim]) -> None:
    for quantity in ("area", "energy"):
        whole = _mid(by_name, f"shift-add/{quantity}-int8")
        assert _mid(by_name, f"shift-add/{quantity}-int8-group-sum") < min(whole, 1)
    group_sum = PE.parse("shift_add(int4, int8, group=128)").group_sum  # type: ignore[attr-defined]
    assert str(group_sum) in by_name["shift-add/area-int8-group-sum"].ours.setting


def test_one_bit_tables_beat_multipliers_and_share_better_in_larger_tiles(by_name: dict[str, Claim]) -> None:
    for quantity in ("area", "energy"):
        small, large = (_mid(by_name, f"lut/w1-int8-{quantity}-{tile}") for tile in ("m1n4", "m2n64"))
        assert 1 < small < large
    assert _mid(by_name, "lut/widest-weight-narrow-multiplier") <= 6
    assert 0 < _mid(by_name, "lut/wins") <= 12


def test_accumulators_are_within_the_published_bound(by_name: dict[str, Claim]) -> None:
    names = [name for name in by_name if name.endswith("-accumulator")]
    assert len(names) == 7
    for name in names:
        low, high = by_name[name].band
        assert low < _mid(by_name, name) <= high


def test_integers_on_the_front_are_counted(by_name: dict[str, Claim]) -> None:
    claim = by_name["minifloats/pareto"]
    front = claim.ours.setting.partition(": ")[2].partition(";")[0].split(", ")
    assert claim.ours.model.mid == sum(format.startswith("int") for format in front)


def test_smallest_and_last_win_are_found_in_each_draw() -> None:
    first, second = np.array([1.0, 3.0, 1.0]), np.array([2.0, 2.0, 2.0])
    assert _smallest({4: first, 8: second}).tolist() == [4, 8, 4]
    ones = np.ones(3)
    assert _last_win({1: 0 * ones, 2: first, 3: 0 * ones}, dict.fromkeys((1, 2, 3), 2 * ones)).tolist() == [3, 1, 3]
