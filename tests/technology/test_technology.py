from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import tomllib
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.technology import DRAWS, FACTORS, PRIMITIVES, Bill, Item, Price, Stage, Technology, load
from hwexplore.technology.bill import LIVELINESS
from hwexplore.technology.technology import LATENESS

NANGATE = load("nangate45")
ADDERS = Bill((Item("adder", "full_adder", 8, 0.5, "eight"),), ((Stage("adder", "full_adder", 8, carry=True),),))
REGISTER = Bill((Item("register", "flip_flop", 8, 0.25, "eight"),))
counts = st.integers(0, 1000)
activities = st.floats(0, 4)
bills = st.builds(
    Bill,
    st.lists(
        st.builds(Item, st.just("part"), st.sampled_from(PRIMITIVES), counts, activities, st.just("why")), max_size=4
    ).map(tuple),
    st.lists(st.builds(Stage, st.just("part"), st.sampled_from(["mux2", "full_adder"]), counts), max_size=3).map(
        lambda path: (tuple(path),)
    ),
)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / "calibration" / "nangate45.toml").read_text("utf-8"))


def test_nangate45_is_near_the_library() -> None:
    """Areas of the Nangate Open Cell Library's data sheet; in netlists, primitives are not always one cell."""
    assert (NANGATE.node_nm, NANGATE.voltage, NANGATE.temperature_c) == (45, 1.1, 25)
    areas = {"full_adder": 4.256, "flip_flop": 4.522, "mux2": 1.862}
    assert all(0.5 < NANGATE.primitives[name].area_um2 / area < 2 for name, area in areas.items())


def test_price_of_a_hand_computed_bill(table: dict[str, Any]) -> None:
    bill = Bill(
        (
            Item("sum", "full_adder", 16, 0.5, "sixteen"),
            Item("gate", "and2", 3, 2, "three"),
            Item("register", "flip_flop", 10, 0.25, "ten"),
        ),
        ((Stage("gate", "and2", 2), Stage("sum", "full_adder", 1), Stage("carry", "full_adder", 15, carry=True)),),
    )
    fa, gate, ff = (table["primitives"][name] for name in ("full_adder", "and2", "flip_flop"))
    assert asdict(NANGATE.price(bill)) == pytest.approx(
        {
            "area_um2": 16 * fa["area_um2"] + 3 * gate["area_um2"] + 10 * ff["area_um2"],
            "glitch_pj": 0,
            "dynamic_pj": 8 * fa["energy_pj"] + 6 * gate["energy_pj"] + 2.5 * ff["energy_pj"],
            "clock_pj": 10 * ff["clock_pj"],
            "leakage_uw": 16 * fa["leakage_uw"] + 3 * gate["leakage_uw"] + 10 * ff["leakage_uw"],
            "delay_ps": ff["delay_ps"]
            + ff["setup_ps"]
            + 2 * gate["delay_ps"]
            + fa["delay_ps"]
            + 15 * fa["carry_delay_ps"],
        }
    )


def test_effort_buys_speed_with_area_and_energy() -> None:
    relaxed, fast = NANGATE.price(ADDERS), NANGATE.price(ADDERS, effort=0.5)
    assert fast.delay_ps == pytest.approx(relaxed.delay_ps / 1.5)
    assert fast.area_um2 == pytest.approx(relaxed.area_um2 * (1 + NANGATE.sizing.area / 2))
    assert fast.dynamic_pj == pytest.approx(relaxed.dynamic_pj * (1 + NANGATE.sizing.energy / 2))
    assert NANGATE.price(REGISTER, effort=0.5).area_um2 == NANGATE.price(REGISTER).area_um2


def test_effort_is_as_large_as_the_period_needs() -> None:
    bill = Bill(ADDERS.items, ((Stage("gate", "or2", 20),),))
    relaxed = NANGATE.price(bill).delay_ps
    assert NANGATE.effort(bill, None) == NANGATE.effort(bill, 2 * relaxed) == 0
    assert NANGATE.price(bill, NANGATE.effort(bill, relaxed / 1.2)).delay_ps == pytest.approx(relaxed / 1.2)
    assert NANGATE.effort(bill, 0) == NANGATE.effort(bill, 1e-3) == NANGATE.sizing.most


def test_what_comes_late_glitches() -> None:
    early, late = (Bill((Item("gate", "nand2", 8, 0.25, "eight", depth),)) for depth in (0, 16))
    useful = NANGATE.price(early)
    assert useful.glitch_pj == 0
    in_vain = NANGATE.glitches.ratio * 0.25**LIVELINESS * 16**LATENESS
    assert NANGATE.price(late).glitch_pj == pytest.approx(8 * NANGATE.primitives["nand2"].energy_pj * in_vain)
    assert NANGATE.price(late).dynamic_pj == pytest.approx(useful.dynamic_pj + NANGATE.price(late).glitch_pj)


def test_the_slowest_path_sets_the_delay() -> None:
    fast, slow = (Stage("gate", "nand2", 3),), (Stage("gate", "or2", 2), Stage("gate", "nand2", 1))
    for paths in ((fast, slow), (slow, fast)):
        bill = Bill(REGISTER.items, paths)
        assert NANGATE.critical_path(bill) == slow
        assert NANGATE.price(bill).delay_ps == NANGATE.delay_ps(slow) > NANGATE.delay_ps(fast)
    assert NANGATE.critical_path(REGISTER) == ()


@settings(max_examples=50, deadline=None)
@given(bills, bills)
def test_bills_add_up(one: Bill, two: Bill) -> None:
    both = NANGATE.price(Bill(one.items + two.items, (one.paths[0] + two.paths[0],)))
    parts = NANGATE.price(one), NANGATE.price(two)
    register = NANGATE.price(Bill(())).delay_ps
    for field in fields(Price):
        total = sum(getattr(part, field.name) for part in parts)
        expected = total - register if field.name == "delay_ps" else total
        assert getattr(both, field.name) == pytest.approx(expected)


def area(bill: Bill) -> Callable[[Technology], float]:
    return lambda technology: technology.price(bill).area_um2


@pytest.mark.parametrize(("bill", "sigma"), [(ADDERS, "logic_area"), (REGISTER, "register_area")])
def test_intervals_follow_the_named_spread(bill: Bill, sigma: str) -> None:
    """5 and 95 % of a log-normal: exp(-+1.645 sigma), as closely as the draws give it."""
    interval = NANGATE.interval(area(bill))
    assert interval.mid == NANGATE.price(bill).area_um2
    assert interval.low < interval.mid < interval.high
    for end, sign in ((interval.low, -1), (interval.high, 1)):
        assert np.log(end / interval.mid) == pytest.approx(sign * 1.645 * NANGATE.spread[sigma], rel=0.25)


@settings(max_examples=25, deadline=None)
@given(bills)
def test_intervals_are_ordered(bill: Bill) -> None:
    for field in fields(Price):
        interval = NANGATE.interval(lambda node, name=field.name: getattr(node.price(bill), name))
        assert interval.low <= interval.mid <= interval.high


def test_draws_are_seeded_and_do_not_move_the_middle() -> None:
    load.cache_clear()
    again = load("nangate45")
    assert again is not NANGATE
    assert again.draws == NANGATE.draws
    assert len(NANGATE.draws) == DRAWS
    assert NANGATE.draws[0] != NANGATE.draws[1]
    areas = [node.primitives["nand2"].area_um2 for node in NANGATE.draws]
    assert np.median(areas) == pytest.approx(NANGATE.primitives["nand2"].area_um2, rel=0.03)


def test_draws_are_joint() -> None:
    """Two circuits of one technology err together: their ratio is far better known than either."""
    mixed = Bill(ADDERS.items + REGISTER.items)
    ratio = NANGATE.interval(lambda node: area(mixed)(node) / area(ADDERS)(node))
    one, other = NANGATE.interval(area(mixed)), NANGATE.interval(area(ADDERS))
    independent = np.hypot(np.log(one.high / one.low), np.log(other.high / other.low))
    assert 0 < np.log(ratio.high / ratio.low) < 0.5 * independent
    double = Bill(ADDERS.items * 2)
    assert NANGATE.interval(lambda node: area(double)(node) / area(ADDERS)(node)).low == pytest.approx(2)


def test_draws_keep_rankings() -> None:
    small, large = (Bill((Item("adder", "full_adder", n, 0.5, ""),)) for n in (10, 11))
    assert all(area(small)(node) < area(large)(node) for node in NANGATE.draws)
    assert NANGATE.interval(area(small)).high > NANGATE.interval(area(large)).low


def test_a_draw_scales_every_coefficient_by_its_factor() -> None:
    """One factor per named spread, the same wherever it applies, and none without effect."""
    drawn = NANGATE.draws[0]
    seen: dict[str, set[float]] = {}

    def note(factor: str, ratio: float) -> None:
        seen.setdefault(factor, set()).add(round(ratio, 12))

    for name, primitive in NANGATE.primitives.items():
        kind = "register" if name == "flip_flop" else "logic"
        for field, factor in (
            ("area_um2", f"{kind}_area"),
            ("energy_pj", f"{kind}_energy"),
            ("clock_pj", f"{kind}_energy"),
            ("leakage_uw", "leakage"),
            *((field, "delay") for field in ("delay_ps", "carry_delay_ps", "setup_ps")),
        ):
            if getattr(primitive, field):
                note(factor, getattr(drawn.primitives[name], field) / getattr(primitive, field))
    for quantity, factor in (
        ("area_um2", "sram_area"),
        ("read_pj", "sram_energy"),
        ("write_pj", "sram_energy"),
        ("leakage_mw", "sram_leakage"),
        ("access_ns", "sram_delay"),
    ):
        note(factor, float(drawn.sram_law(quantity, 4096, 64) / NANGATE.sram_law(quantity, 4096, 64)))
    for name, dram in NANGATE.drams.items():
        for field, factor in (("energy_pj_per_bit", "energy"), ("area_mm2", "area"), ("static_w", "static")):
            ratio = getattr(drawn.drams[name], field) / getattr(dram, field)
            note(f"dram_{factor}", ratio ** (1 / dram.uncertainty))
        assert drawn.drams[name].bandwidth_bytes_per_s == dram.bandwidth_bytes_per_s
    for field, factor in (("area_um2", "vector_area"), ("energy_pj", "vector_energy"), ("leakage_uw", "leakage")):
        note(factor, getattr(drawn.vector_unit, field) / getattr(NANGATE.vector_unit, field))
    note("wire_energy", drawn.wire_pj_per_bit_mm / NANGATE.wire_pj_per_bit_mm)
    assert seen.keys() == NANGATE.spread.keys() == set(FACTORS)
    assert all(len(ratios) == 1 for ratios in seen.values())
    assert len(set().union(*seen.values())) == len(seen)


def test_a_factor_is_one_draw_for_all_technologies() -> None:
    """So that two nodes can be compared draw by draw, whatever other factors either has."""
    other = load("sg13g2")
    for one, two in zip(NANGATE.draws, other.draws, strict=True):
        dram = "hbm2"
        assert one.drams[dram] == two.drams[dram]
        spread = other.spread["delay"] / NANGATE.spread["delay"]
        ratio = one.primitives["nand2"].delay_ps / NANGATE.primitives["nand2"].delay_ps
        assert two.primitives["nand2"].delay_ps == pytest.approx(other.primitives["nand2"].delay_ps * ratio**spread)


def test_the_drawn_technology_is_all_draws_at_once() -> None:
    bill = Bill(ADDERS.items, ((Stage("gate", "or2", 20),), (Stage("gate", "nand2", 25),)))
    period_ps = NANGATE.price(bill).delay_ps / 1.2
    together = NANGATE.drawn.price(bill, NANGATE.drawn.effort(bill, period_ps))
    one_by_one = [draw.price(bill, draw.effort(bill, period_ps)) for draw in NANGATE.draws]
    for field in fields(Price):
        assert getattr(together, field.name) == pytest.approx([getattr(price, field.name) for price in one_by_one])
