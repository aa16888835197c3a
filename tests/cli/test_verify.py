"""``hwexplore verify``: from a front to simulated and synthesised PEs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hwexplore import technology as technologies
from hwexplore.calibration import rtl_checks, runs, verify
from hwexplore.calibration.rtl_checks import CoreCheck
from hwexplore.calibration.verify import Synthesised
from hwexplore.cli.stored_front import load_front
from hwexplore.errors import InputError
from hwexplore.rtl import requirements, simulator

Run = Callable[..., tuple[int, str, str]]

SPACE = """
pe = ["mac(int2, int2, acc=int8 sat)", "mac(int2, int3, acc=int8 sat)"]
rows = [16]
cols = [64]
dataflow = ["ws"]
clock_mhz = [250]
vector_lanes = [1]
sram_kib = [128]
dram = ["ddr4-3200"]
channels = [1]
policy = ["int2_channel/int2/int2", "int2_channel/int3/int3"]
"""


@pytest.fixture
def explored(run: Run, tmp_path: Path) -> Callable[..., Path]:
    """The front of the space above, energy against error: a design of each PE."""

    def explore(technology: str = "nangate45") -> Path:
        volts = technologies.load(technology).voltage
        (tmp_path / "space.toml").write_text(f"{SPACE}voltage = [{volts}]\n")
        out = tmp_path / f"{technology}.parquet"
        options = ("--technology", technology, "--objective", "energy_j", "--objective", "error", "--out", out)
        code, *_ = run("explore", "smollm2-135m", "--context", 64, "--space", tmp_path / "space.toml", *options)
        assert code == 0
        return out

    return explore


@pytest.fixture
def tools() -> None:
    """A machine without Verilator skips, continuous integration fails."""
    try:
        simulator.find("verilator")
    except InputError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


def test_a_stored_front_is_the_one_that_was_found(explored: Callable[..., Path]) -> None:
    front = load_front(explored())
    assert len(front) == 2
    assert front.complete
    assert (front.evaluated, front.feasible) == (4, 4)
    frame = front.to_frame()
    assert frame["energy_j"].is_monotonic_increasing
    assert frame["error"].is_monotonic_decreasing


@pytest.mark.usefixtures("tools")
def test_two_pes_from_front_to_netlist(
    run: Run, explored: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.parquet"
    monkeypatch.chdir(tmp_path)
    options = ("--vectors", 200, "--jobs", 1, "--cache", "cache", "--out", table)
    front = explored()
    code, output, said = run("verify", front, "--top", 2, *options, "--json")
    assert (code, said) == (0, "")
    found = json.loads(output)
    assert found["taken"].startswith("2 of the 2 designs of the front that span it: 2 PEs")
    assert {one["pe"] for one in found["pes"]} == {"mac(int2, int2, acc=int8 sat)", "mac(int2, int3, acc=int8 sat)"}
    for one in found["pes"]:
        assert one["period_ps"] == 4000
        assert one["core"]["mismatches"] == 0
        assert one["core"]["cycles"] >= 200
        ((name, array),) = one["arrays"].items()
        assert name == "2 x 3 ws"
        assert array["different"] == 0
        assert array["cycles"] == array["model_cycles"] > 0
        assert one["netlist"]["shortest_ps"] <= one["netlist"]["period_ps"] <= 4000
        figures = {row["metric"]: row for row in one["compared"]}
        # 250 MHz, one MAC a cycle: four PEs make a GMAC/s.
        assert figures["area"]["measured"] == pytest.approx(4 * one["netlist"]["area_um2"])
        assert all(row["inside"] == (row["low"] <= row["measured"] <= row["high"]) for row in figures.values())
    written = pd.read_parquet(table)
    assert written["measured"].tolist() == [row["measured"] for one in found["pes"] for row in one["compared"]]
    larger = [one["netlist"]["area_um2"] for one in sorted(found["pes"], key=lambda one: one["pe"])]
    assert larger == sorted(larger)
    assert {ranking["metric"]: ranking["tau"] for ranking in found["rankings"]}["area"] == 1

    def broken(*_: object) -> None:
        raise AssertionError("done again")

    for module, name in ((rtl_checks, "replay"), (rtl_checks, "multiply"), (runs, "elaborate"), (runs, "map_to_cells")):
        monkeypatch.setattr(module, name, broken)
    code, output, _ = run("verify", front, "--by", "energy_j", "--top", 2, *options)
    assert code == 0
    assert "that are best by energy_j: 2 PEs" in output
    assert "5 x 5 x 32 bit exact" in output
    assert "ranking by area: Kendall's tau 1.00 over 2, 0 pairs swapped" in output


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_a_default_front(run: Run, tmp_path: Path) -> None:
    front = tmp_path / "designs.parquet"
    assert run("explore", "llama-2-7b", "--phase", "decode", "--out", front)[0] == 0
    code, output, said = run("verify", front, "--top", 8, "--quick", "--cache", tmp_path / "cache", "--json")
    assert (code, said) == (0, "")
    found = json.loads(output)
    assert sum(len(one["designs"]) for one in found["pes"]) == 8
    assert all(one["core"]["mismatches"] == 0 and one["failure"] is None for one in found["pes"])
    for array in (array for one in found["pes"] for array in one["arrays"].values() if array is not None):
        assert array["different"] == 0
        assert array["cycles"] == array["model_cycles"]
    # Better than chance: half of the pairs swapped is a tau of 0.
    assert all(ranking["tau"] > 0 for ranking in found["rankings"])


@pytest.fixture
def without_tools(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the RTL's and the synthesis' results in place of them."""

    def fake(outcomes: list[Any], mismatches: int = 0) -> None:
        def run(*_: object) -> Iterator[Synthesised]:
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome

        core = CoreCheck(cycles=300, mismatches=mismatches)
        monkeypatch.setattr(rtl_checks, "check_cores", lambda pes, *_: [core] * len(pes))
        monkeypatch.setattr(rtl_checks, "check_arrays", lambda arrays, *_: [None] * len(arrays))
        monkeypatch.setattr(verify, "run", run)
        monkeypatch.setattr(verify, "check_voltage", lambda *_: None)
        monkeypatch.setattr(simulator, "find", lambda _: None)

    return fake


def test_a_failure_is_told_and_an_interruption_keeps_what_is_done(
    run: Run, explored: Callable[..., Path], without_tools: Callable[..., None]
) -> None:
    without_tools([Synthesised(number=1, failure="Yosys was stopped"), KeyboardInterrupt()])
    code, output, said = run("verify", explored())
    assert code == 130
    assert "300: bit exact" in output
    assert "mac(int2, int3, acc=int8 sat) at 4000 ps: Yosys was stopped" in said
    assert "interrupted: 1 of 2 PEs are done and kept" in said


def test_wrong_rtl_and_failed_synthesis_end_with_one(
    run: Run, explored: Callable[..., Path], without_tools: Callable[..., None]
) -> None:
    front = explored()
    without_tools([], mismatches=7)
    code, output, _ = run("verify", front)
    assert code == 1
    assert "7 differ" in output
    without_tools([Synthesised(number=0, failure="Yosys was stopped")])
    assert run("verify", front, "--json")[0] == 1


def bad(run: Run, *arguments: object) -> str:
    code, _, said = run("verify", *arguments)
    assert code == 2
    assert said.count("\n") == 1
    return said


def test_what_is_missing_is_one_sentence(
    run: Run, explored: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = explored()
    assert "is not a folder that hwexplore explore wrote" in bad(run, tmp_path / "space.toml")
    assert "--liberty missing.lib: there is no such file" in bad(run, front, "--liberty", "missing.lib")
    assert "top = 0 must be at least 1" in bad(run, front, "--top", 0)
    assert "unknown metric 'energy'" in bad(run, front, "--by", "energy")
    assert "28nm is scaled from nangate45" in bad(run, explored("28nm"))
    assert "the cells of asap7 are needed: --liberty FILE" in bad(run, explored("asap7"))
    monkeypatch.setattr(simulator, "_verilator", lambda: simulator.find("no such simulator"))
    assert "unknown simulator" in bad(run, front)
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    assert "not installed: amaranth, pyosys" in bad(run, front)
