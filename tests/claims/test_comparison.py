from __future__ import annotations

from math import log

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.claims import measured
from hwexplore.claims.comparison import absolute, draws, interval, lut_price, lut_ratio, ratio
from hwexplore.claims.setting import Setting
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill
from hwexplore.technology.device import load

AT = Setting("nangate45", 5000)
INT8, INT4, DOT = "mac(int8, int8, acc=int32)", "mac(int4, int4, acc=int32)", "dot(int8, int8, lanes=4, acc=int32)"


@pytest.mark.parametrize("quantity", ["area", "energy"])
@pytest.mark.parametrize("pe", [INT8, DOT, "lut(int2, int8, m=1, n=4, k=4)"])
def test_draws_are_those_of_the_cost(pe: str, quantity: str) -> None:
    cost = PE.parse(pe).cost(AT.node, AT.period_ps)
    mac = cost.macs_per_cycle if quantity == "area" else 1
    expected = cost.area_um2 if quantity == "area" else cost.energy_pj
    found = interval(draws(pe, quantity, AT) * mac)  # type: ignore[arg-type]
    assert [found.low, found.mid, found.high] == pytest.approx([expected.low, expected.mid, expected.high])


def test_throughput_is_equal() -> None:
    """Four lanes count as four units of one lane."""
    one, four = (PE.parse(pe).cost(AT.node, AT.period_ps) for pe in (INT8, DOT))
    assert ratio(DOT, INT8, "area", AT).model.mid == pytest.approx(four.area_um2.mid / (4 * one.area_um2.mid))
    assert absolute(DOT, "area", AT, macs_per_cycle=4).model.mid == pytest.approx(four.area_um2.mid)


@pytest.mark.parametrize("quantity", ["area", "energy"])
def test_what_both_share_does_not_widen_a_ratio(quantity: str) -> None:
    alone, both = absolute(INT8, quantity, AT).model, ratio(INT8, INT4, quantity, AT).model  # type: ignore[arg-type]
    assert both.high / both.low < alone.high / alone.low
    same = ratio(INT8, INT8, quantity, AT).model  # type: ignore[arg-type]
    assert (same.low, same.mid, same.high) == (1, 1, 1)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 8), st.integers(2, 8))
def test_more_bits_take_more(first: int, second: int) -> None:
    """At one width of the sum."""
    pe, reference = (f"mac(int{bits}, int{bits}, acc=int32)" for bits in (first, second))
    found = ratio(pe, reference, "area", AT).model.mid
    assert (found > 1, found < 1) == (first > second, first < second)


@pytest.mark.parametrize("text", ["e4m3", "e5m2", "e2m1"])
def test_longer_exact_sums_take_more(text: str) -> None:
    long, short = (f"mac({text}, {text}, acc=exact({n}))" for n in (4096, 16))
    assert ratio(long, short, "area", AT).model.low > 1
    assert lut_ratio(long, short, "zcu104").model.mid > 1


def test_setting_states_what_the_ratio_holds_for() -> None:
    setting = ratio(DOT, "mac(e4m3, e4m3, acc=exact(4096))", "area", AT).setting
    for part in ("acc=int32", "exact(4096)", "49-bit sum", "4 MAC/cycle", "1 MAC/cycle", "nangate45", "5000 ps"):
        assert part in setting


def test_luts_are_those_of_the_device_per_mac() -> None:
    whole = load("zcu104").price(fpga_bill(PE.parse(DOT)))["lut"]
    found = lut_price(DOT, "zcu104")
    assert [found.low * 4, found.mid * 4, found.high * 4] == pytest.approx([whole.low, whole.mid, whole.high])


def test_lut_ratio_has_the_spread_of_both() -> None:
    first, second, both = lut_price(INT8, "zcu104"), lut_price(INT4, "zcu104"), lut_ratio(INT8, INT4, "zcu104").model
    assert both.mid == pytest.approx(first.mid / second.mid)
    assert log(both.high / both.mid) == pytest.approx(log(both.mid / both.low))
    assert log(both.high / both.mid) ** 2 == pytest.approx(sum(log(p.high / p.mid) ** 2 for p in (first, second)))


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up syntheses of INT8 and a dot product: on a node a small slow and a large fast netlist, and on an FPGA."""
    energies = ("useful_pj", "glitch_pj", "input_pj", "clock_pj")
    asic = [
        (INT8, "nangate45", 6000.0, 500.0, 1.0),
        (INT8, "nangate45", 3000.0, 700.0, 2.0),
        (INT8, "nangate45", 2000.0, 900.0, 3.0),
        (INT8, "asap7", 1000.0, 50.0, 0.1),
        (DOT, "nangate45", 4000.0, 1400.0, 4.0),
    ]
    fpga = [
        (INT8, False, 90),
        (INT8, False, 80),
        (INT8, True, 9),
        (DOT, False, 160),
    ]
    made = {
        "asic": pd.DataFrame(
            [
                {"pe": pe, "node": node, "period_ps": period, "area_um2": area} | dict.fromkeys(energies, pj / 4)
                for pe, node, period, area, pj in asic
            ]
        ),
        "fpga": pd.DataFrame(fpga, columns=["pe", "dsp_allowed", "lut"]).assign(device="zcu104"),
    }
    monkeypatch.setattr(measured, "_table", made.__getitem__)


@pytest.mark.usefixtures("tables")
def test_measured_is_the_smallest_netlist_that_meets_the_period() -> None:
    assert absolute(INT8, "area", AT).measured == 700
    assert absolute(INT8, "area", Setting("nangate45", 6000)).measured == 500
    assert absolute(INT8, "energy", Setting("nangate45", 2000)).measured == 3
    assert absolute(INT8, "area", Setting("nangate45", 1500)).measured is None
    assert absolute(INT4, "area", AT).measured is None


@pytest.mark.usefixtures("tables")
def test_measured_ratio_is_at_equal_throughput() -> None:
    assert ratio(DOT, INT8, "area", AT).measured == pytest.approx(1400 / 4 / 700)
    assert ratio(DOT, INT8, "energy", AT).measured == pytest.approx(4 / 4 / 2)
    assert ratio(INT4, INT8, "area", AT).measured is None
    assert lut_ratio(DOT, INT8, "zcu104").measured == pytest.approx(160 / 4 / 80)
    assert lut_ratio(INT4, INT8, "zcu104").measured is None
