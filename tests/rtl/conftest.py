"""Simulators for the tests, and the speed at which they ran."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pytest
from replays import Case, Mismatches, Replayed, Wrong

from hwexplore.errors import InputError
from hwexplore.rtl.replay import Replay, replay
from hwexplore.rtl.simulator import Simulator, find

RATES: list[str] = []


def simulator(name: str) -> Simulator:
    try:
        return find(name)
    except InputError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def verilator() -> Simulator:
    return simulator("verilator")


@pytest.fixture(scope="session")
def icarus() -> Simulator:
    return simulator("icarus")


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Replays traces together and notes how fast that was."""

    def run(traces: Sequence[Case], simulator: Simulator) -> list[Replay]:
        done = replay(traces, simulator, tmp_path_factory.mktemp("replay"))
        cycles = sum(one.cycles for one in done)
        RATES.append(f"{len(done)} cores on {simulator.name}: {cycles:,} cycles, {cycles / done[0].seconds:,.0f}/s")
        return done

    return run


@pytest.fixture(scope="session")
def mismatches(verilator: Simulator, replayed: Replayed) -> Mismatches:
    """What went wrong in each of some cases, all simulated together under Verilator."""

    def run(cases: Mapping[str, Case]) -> Wrong:
        done = replayed(list(cases.values()), verilator)
        return {name: one.mismatches for name, one in zip(cases, done, strict=True)}

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for rate in RATES:
        terminalreporter.write_line(rate)
