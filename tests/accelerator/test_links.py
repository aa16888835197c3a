from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from math import inf, nan

import pytest
import tomllib

from hwexplore.accelerator.links import Link, link, links
from hwexplore.errors import InputError

GIVEN = Link(name="given", bandwidth_bytes_per_s=1e9, energy_pj_per_bit=10, latency_s=1e-6)


def test_hand_computed_transfers() -> None:
    assert GIVEN.time_s(5e6) == pytest.approx(5001e-6)
    assert GIVEN.time_s(5e6, transfers=3) == pytest.approx(5003e-6)
    assert GIVEN.energy_j(5e6) == pytest.approx(400e-6)


def test_every_figure_has_its_source() -> None:
    tables = tomllib.loads((files("hwexplore.models") / "links.toml").read_text("utf-8"))
    assert sorted(tables) == [link.name for link in links()]
    for known in links():
        assert link(known.name) is known
        assert set(known.sources) == {"bandwidth_bytes_per_s", "energy_pj_per_bit", "latency_s"}
        assert all(len(source) > 10 for source in known.sources.values())


def test_bandwidths_follow_from_the_wires() -> None:
    assert link("nvlink3").bandwidth_bytes_per_s == 12 * 25e9
    assert link("nvlink4").bandwidth_bytes_per_s == 18 * 25e9
    assert link("infiniband-ndr").bandwidth_bytes_per_s == 2 * link("infiniband-hdr").bandwidth_bytes_per_s == 400e9 / 8


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("bandwidth_bytes_per_s", 0, "expected above 0"),
        ("bandwidth_bytes_per_s", nan, "expected above 0"),
        ("energy_pj_per_bit", -1, "expected 0 or more"),
        ("latency_s", nan, "expected 0 or more"),
    ],
)
def test_impossible_figures_are_refused(field: str, value: float, expected: str) -> None:
    with pytest.raises(InputError, match=f"^{field} of given is {value}; {expected}$"):
        replace(GIVEN, **{field: value})
    assert replace(GIVEN, bandwidth_bytes_per_s=inf).time_s(1e9) == GIVEN.latency_s


def test_unknown_link() -> None:
    with pytest.raises(InputError, match="unknown link 'nvlink'; did you mean nvlink"):
        link("nvlink")
