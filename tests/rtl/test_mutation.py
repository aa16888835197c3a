"""Faults in cores: the vectors notice nearly all of them, and proofs of equivalence are proofs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.pe import PE
from hwexplore.rtl import mutation
from hwexplore.rtl.mutation import UNITS, Mutation, mutate
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import check_trace


def traced(text: str, pairs: int) -> tuple[PE, pd.DataFrame]:
    pe = PE.parse(text)
    return pe, check_trace(pe, pairs, np.random.default_rng(0))


def test_vectors_kill_mutants_and_weak_ones_do_not(verilator: Simulator, tmp_path: Path) -> None:
    units = ["mac(int4, int4, acc=int12, stages=2)", "bit_serial(bipolar3, int2, lanes=4, acc=int10)"]
    traces = [traced(text, 5_000) for text in units]
    pe, cycles = traces[1]
    *strong, weak = mutate([*traces, (pe, cycles.head(8))], verilator, tmp_path, mutants=60)
    for one in strong:
        assert one.mutants == one.killed + one.equivalent + len(one.survivors) == 60
        assert one.score >= 0.95, one
    assert weak.killed < strong[1].killed
    # A mutant that better vectors kill has no proof.
    assert weak.equivalent == strong[1].equivalent
    assert weak.score < 0.95


def test_a_core_that_is_wrong_has_no_score(icarus: Simulator, tmp_path: Path) -> None:
    pe, cycles = traced("mac(int2, int2, acc=int6)", 200)
    cycles.loc[100, "accumulator"] ^= np.uint64(1)
    with pytest.raises(RuntimeError, match=r"the core of mac\(int2, int2, acc=int6\) without a fault differs"):
        mutate([(pe, cycles)], icarus, tmp_path, mutants=3)


def test_equivalent_mutants_leave_the_score() -> None:
    one = Mutation(pe="mac(int8, int8, acc=int32)", mutants=100, killed=76, equivalent=20, survivors=("",) * 4)
    assert one.score == 0.95


def test_scores_are_printed(
    icarus: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutation, "UNITS", {"mac(int4, int4, acc=int16, stages=2)": 2_000})
    monkeypatch.setattr(mutation, "find", lambda name: icarus)
    mutation.main()
    header, row = capsys.readouterr().out.splitlines()[-2:]
    assert header.split() == ["pe", "mutants", "killed", "equivalent", "survivors", "score"]
    assert row.split()[-1].endswith("%")
    assert float(row.split()[-1].rstrip("%")) >= 95


@pytest.mark.slow
def test_vectors_kill_mutants_of_every_family(verilator: Simulator, tmp_path: Path) -> None:
    assert {PE.parse(text).family for text in UNITS} == set(PE.families())
    for one in mutate([traced(*unit) for unit in UNITS.items()], verilator, tmp_path):
        assert one.mutants == 100
        assert one.score >= 0.95, one
