from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest

from hwexplore.calibration.population import SMALL, is_held_out, population
from hwexplore.pe import PE


def test_is_large_enough_over_all_families() -> None:
    pes = population()
    assert len(pes) == len(set(pes)) >= 200
    assert {pe.family for pe in pes} == set(PE.families())
    assert sum(map(is_held_out, pes)) >= 50


@pytest.mark.parametrize("pe", population()[::20], ids=str)
def test_holds_out_by_the_text_alone(pe: PE) -> None:
    assert is_held_out(pe) == (int(sha256(str(pe).encode()).hexdigest(), 16) % 4 == 0)


def test_small_population_has_each_family_in_its_share() -> None:
    pes, small = population(), population(small=True)
    assert len(small) == SMALL >= 60
    assert set(small) <= set(pes)
    families, of_small = (Counter(pe.family for pe in some) for some in (pes, small))
    assert all(abs(of_small[family] / SMALL - families[family] / len(pes)) < 0.02 for family in families)
    assert sum(map(is_held_out, small)) > SMALL / 8
