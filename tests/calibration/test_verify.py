"""From a front to PEs to build, and from what was built to a comparison and a ranking."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore import technology as technologies
from hwexplore import workloads
from hwexplore.calibration import verify
from hwexplore.calibration.primitives import nangate45
from hwexplore.calibration.runs import CLOCK, Chosen, Node, synthesise
from hwexplore.calibration.verify import (
    METRIC_UNITS,
    Candidate,
    Synthesised,
    candidates,
    check_cells,
    check_voltage,
    compare,
    rank,
    run,
)
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.search import Front, Problem
from hwexplore.technology import Technology

INT8, INT4 = "mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)"


@pytest.fixture(scope="module")
def front(space_of: Any, nangate45: Technology) -> Front:
    """Two PEs, either at two clocks, two voltages and in three dataflows; as if every design were on the front."""
    space = space_of(
        pe=[INT8, INT4],
        rows=[1, 16],
        dataflow=["os", "ws", "is"],
        clock_mhz=[500, "max"],
        voltage=[0.8, 1.1],
        policy=["int8_channel/int8/int8", "int4_channel/int8/int8"],
    )
    problem = Problem(space, workloads.load("smollm2-135m", phase="decode", batch=1, context=64), nangate45)
    ids = np.arange(space.size)
    ids = ids[problem.evaluate(ids)["reason"] == ""]
    return Front(problem, ("latency_s", "energy_j"), (), ids, space.size, len(ids), 1.0)


def test_a_pe_at_a_clock_is_taken_once(front: Front, nangate45: Technology) -> None:
    found = candidates(front, len(front))
    assert len({(one.pe, one.period_ps) for one in found}) == len(found)
    assert sorted(design for one in found for design in one.designs) == front.ids.tolist()
    for text in (INT8, INT4):
        pe = PE.parse(text)
        periods = sorted(one.period_ps for one in found if one.pe == pe)
        slower = pe.fastest_period_ps(nangate45.at(0.8)) / pe.fastest_period_ps(nangate45)
        # As fast as it can at any voltage, 500 MHz at 0.8 V, 500 MHz at 1.1 V.
        assert periods == pytest.approx([pe.fastest_period_ps(nangate45), 2000 / slower, 2000], abs=0.11)
        assert periods[0] >= pe.fastest_period_ps(nangate45)


def test_arrays_are_reduced_and_input_stationary_needs_operands_alike(front: Front) -> None:
    found = candidates(front, len(front))
    by_pe = {str(one.pe): one.arrays for one in found}
    assert set(by_pe[INT8]) == {f"{rows} x 3 {dataflow}" for rows in (1, 2) for dataflow in ("os", "ws", "is")}
    array = by_pe[INT8]["2 x 3 is"]
    assert array is not None
    assert (array.rows, array.cols, array.dataflow) == (2, 3, "ws")
    assert by_pe[INT4]["2 x 3 is"] is None


def test_the_best_by_a_metric_give_as_many_pes_as_wanted(front: Front) -> None:
    frame = front.to_frame().set_index("id")
    for metric, best in (("energy_j", "min"), ("tokens_per_s", "max")):
        found = candidates(front, 2, metric)
        assert len(found) == 2
        assert frame.loc[found[0].designs[0], metric] == getattr(frame[metric], best)()
    assert len(candidates(front, 2)) <= 2
    assert sum(len(one.designs) for one in candidates(front, 2)) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [((0,), "top = 0 must be at least 1"), ((1, "energy"), "unknown metric 'energy'; did you mean energy_j")],
)
def test_bad_choices_are_one_sentence(front: Front, arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        candidates(front, *arguments)


def test_a_scaled_technology_has_no_cells() -> None:
    check_cells(technologies.load("asap7"))
    with pytest.raises(InputError, match=r"28nm is scaled from nangate45 and has no cells.*asap7.*sky130hd") as error:
        check_cells(technologies.load("28nm"))
    assert "12nm" not in str(error.value)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node("nangate45", (nangate45(),), tmp_path_factory.mktemp("verify"))


def test_cells_of_another_voltage_are_refused(node: Node, nangate45: Technology) -> None:
    check_voltage(node, nangate45)
    with pytest.raises(InputError, match=r"the cells are for 1.1 V, nangate45 is for 0.8 V"):
        check_voltage(node, nangate45.at(0.8))


def candidate(text: str = INT8, period_ps: float = 2000.0) -> Candidate:
    return Candidate(pe=PE.parse(text), period_ps=period_ps, designs=(1,), arrays={})


def synthesised(number: int, area_um2: float, period_ps: float, shortest_ps: float, pj: float) -> Synthesised:
    chosen = Chosen("", "", CLOCK, 2000.0, period_ps, shortest_ps, area_um2, 1.0, "", "")
    figures = {f"{part}_pj": pj / 4 for part in ("useful", "glitch", "input", "clock")}
    return Synthesised(number=number, chosen=chosen, figures=figures)


def by_metric(compared: pd.DataFrame) -> Mapping[str, Any]:
    return {row.metric: row for row in compared.itertuples()}


def test_area_and_energy_are_compared_at_equal_throughput(nangate45: Technology) -> None:
    dot = "dot(int8, int8, lanes=4, acc=int32)"
    cost = PE.parse(dot).cost(nangate45, 4000.0)
    done = synthesised(0, cost.area_um2.mid, 3500.0, 900.0, 4 * cost.energy_pj.high * 1.001)
    rows = by_metric(compare([candidate(dot, 4000.0)], [done], nangate45, "gaussian"))
    assert {metric: row.unit for metric, row in rows.items()} == METRIC_UNITS
    # One GMAC/s is one MAC in 1000 ps; the PE makes four in 4000 ps.
    assert rows["area"].measured == pytest.approx(cost.area_um2.mid)
    assert rows["area"].mid == pytest.approx(cost.area_um2.mid)
    assert (rows["area"].low, rows["area"].high) == pytest.approx((cost.area_um2.low, cost.area_um2.high))
    assert rows["energy"].measured == pytest.approx(cost.energy_pj.high * 1.001)
    assert rows["energy"].mid == cost.energy_pj.mid
    assert rows["period"].mid == pytest.approx(PE.parse(dot).fastest_period_ps(nangate45))
    assert (rows["area"].inside, rows["energy"].inside, rows["period"].measured) == (True, False, 900.0)


def test_operands_decide_the_energy_that_is_predicted(nangate45: Technology) -> None:
    done = [synthesised(0, 500.0, 2000.0, 900.0, 1.0)]
    gaussian, uniform = (
        by_metric(compare([candidate()], done, nangate45, kind))["energy"].mid for kind in ("gaussian", "uniform")
    )
    assert gaussian != uniform


def test_a_late_netlist_pays_with_area_per_throughput(nangate45: Technology) -> None:
    early, late = (
        by_metric(compare([candidate()], [synthesised(0, 500.0, period, 900.0, 1.0)], nangate45, "gaussian"))["area"]
        for period in (1500.0, 3000.0)
    )
    assert late.measured == pytest.approx(1.5 * early.measured)
    assert late.mid == early.mid


def test_what_failed_is_left_out(nangate45: Technology) -> None:
    done = [Synthesised(number=0, failure="Yosys failed"), synthesised(1, 500.0, 2000.0, 900.0, 1.0)]
    compared = compare([candidate(), candidate(INT4)], done, nangate45, "gaussian")
    assert set(compared["pe"]) == {INT4}
    assert compare([candidate()], done[:1], nangate45, "gaussian").empty


def ranked(predicted: list[float], measured: list[float], metric: str = "area") -> pd.DataFrame:
    names = [f"pe {number}" for number in range(len(predicted))]
    return pd.DataFrame({"candidate": names, "pe": names, "metric": metric, "mid": predicted, "measured": measured})


def test_ranking_names_what_swapped() -> None:
    (held,) = rank(ranked([1, 2, 3], [10, 20, 40]))
    assert (held.tau, held.count, held.swapped) == (1.0, 3, ())
    (swapped,) = rank(ranked([1, 2, 4], [20, 10, 40]))
    assert swapped.tau == pytest.approx(1 / 3)  # two pairs of three hold
    assert swapped.swapped == (("pe 0", "pe 1", 0.5, 2.0),)
    (single,) = rank(ranked([1], [2]))
    assert (single.tau, single.swapped) == (None, ())
    (tied,) = rank(ranked([1, 1], [2, 3]))
    assert (tied.tau, tied.swapped) == (None, ())


def test_a_pe_has_one_shortest_period_whatever_its_clocks() -> None:
    rows = ranked([5, 5, 3], [7, 6, 4], "period")
    rows.loc[1, "pe"] = "pe 0"
    (ranking,) = rank(rows)
    assert (ranking.count, ranking.tau) == (2, 1.0)


def test_a_failure_stops_nothing_else(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = synthesised(0, 500.0, 2000.0, 900.0, 1.0).chosen

    def fake(pe: PE, at: Node, period_ps: float, quick: bool) -> list[Chosen | None]:
        if str(pe) == INT4:
            raise RuntimeError("Yosys was stopped")
        assert (period_ps, quick) == (1234.0, True)
        return [chosen]

    monkeypatch.setattr(verify, "synthesise", fake)
    monkeypatch.setattr(verify, "measure", lambda one, at, operands: {"operands": operands})
    done = list(run([candidate(INT4), candidate(INT8, 1234.0)], node, "uniform", 1, quick=True))
    assert done == [
        Synthesised(number=0, failure="Yosys was stopped"),
        Synthesised(number=1, chosen=chosen, figures={"operands": "uniform"}),
    ]


def test_a_period_that_no_netlist_reaches_gets_the_fastest_one(node: Node) -> None:
    pe = PE.parse("mac(int2, int2, acc=int8)")
    (fastest,) = synthesise(pe, node, period_ps=200.0)
    assert fastest.period_ps == fastest.shortest_ps > 200
    (slow,) = synthesise(pe, node, period_ps=5000.0, quick=True)
    assert "restructured" in fastest.mapping
    assert "restructured" not in slow.mapping
    assert slow.target == CLOCK
    assert fastest.period_ps < slow.period_ps <= 5000
    assert slow.area_um2 < fastest.area_um2
    assert Path(slow.file).exists()
    assert Path(slow.file) != Path(fastest.file)
