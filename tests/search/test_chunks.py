from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import ThreadingBackend
from joblib.externals.loky import get_reusable_executor

from hwexplore.errors import InputError
from hwexplore.search import Front, Problem, Space, backend, explore
from hwexplore.search.chunks import ChunkEvaluator, evaluate_blocks
from hwexplore.search.space import PermittedBlock
from hwexplore.workloads import Workload


def assert_same(one: Front, other: Front) -> None:
    """Bit for bit."""
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    assert (one.evaluated, one.feasible) == (other.evaluated, other.feasible)


@pytest.fixture
def processes() -> Iterator[Callable[[], Any]]:
    """The worker processes of joblib; they end with the test."""
    yield lambda: get_reusable_executor(reuse=True)._processes
    get_reusable_executor(reuse=True).shutdown(kill_workers=True)


@pytest.mark.parametrize("constraint", [[], ["rows * cols > 16"], ["rows == 1 and cols == 16 and sram_kib == 64"]])
def test_blocks_survive_pickling(constraint: list[str], small_space: Space) -> None:
    for block in small_space.restricted(constraint).permitted_blocks(200):
        copy = pickle.loads(pickle.dumps(block))
        assert isinstance(copy, PermittedBlock)
        assert copy.ids.dtype == np.int64
        np.testing.assert_equal(copy, block)


def test_what_is_sent_is_small(small_problem: Problem) -> None:
    """Neither the designs of a block nor the tables that their evaluation took are in it."""
    block = next(small_problem.space.permitted_blocks(1000))
    sizes = []
    for _ in range(2):
        evaluator = ChunkEvaluator(small_problem, None, copy)
        sizes.append(len(pickle.dumps((evaluator, block))))
        evaluator(block)
        assert len(small_problem.technology.draws) > 0
    assert sizes[0] == sizes[1] < 30_000
    assert len(pickle.dumps(block)) < block.ids.nbytes / 4


def test_a_process_reads_it_once(small_problem: Problem) -> None:
    evaluator = ChunkEvaluator(small_problem, None, copy)
    one, other = (pickle.loads(pickle.dumps((evaluator, number))) for number in range(2))
    assert one[0] is other[0]


def test_results_that_come_in_lists(
    small_space: Space, small_workload: Workload, small_chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of Ray do."""
    expected = explore(small_space, small_workload)
    monkeypatch.setattr(ThreadingBackend, "supports_return_generator", False)
    seen: list[int] = []
    assert_same(explore(small_space, small_workload, jobs=2, progress=seen.append), expected)
    assert max(np.diff([0, *seen])) <= small_chunks


def test_a_killed_process_loses_nothing(
    small_space: Space, small_workload: Workload, small_chunks: int, processes: Callable[[], Any]
) -> None:
    killed: list[int] = []

    def kill(done: int) -> None:
        if done > 200 and not killed:
            killed.append(min(processes()))
            os.kill(killed[0], signal.SIGKILL)

    with backend("processes"):
        front = explore(small_space, small_workload, jobs=2, progress=kill)
    assert killed
    deadline = time.monotonic() + 30
    while killed[0] in processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert killed[0] not in processes()
    assert_same(front, explore(small_space, small_workload))


@pytest.mark.slow
def test_processes_that_die_again_and_again(small_space: Space, processes: Callable[[], Any]) -> None:
    def die(block: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    blocks = list(small_space.permitted_blocks(200))
    with (
        backend("processes"),
        pytest.raises(InputError, match=r"a worker ended 3 times at the designs from 0 on.*give fewer jobs"),
    ):
        list(evaluate_blocks(die, iter(blocks), 2))
