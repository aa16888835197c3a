"""Chunks of designs, evaluated by the workers of any joblib backend."""

from __future__ import annotations

import pickle
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any, NamedTuple

import joblib
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.search.front import Problem
from hwexplore.search.space import PermittedBlock
from hwexplore.search.store import Chunk, DesignFolder

__all__ = ["ChunkEvaluator", "Result", "evaluate_blocks"]

ATTEMPTS = 3
"""How many workers may die one after the other, without a chunk coming back, before the search gives up."""
ROUND = 8
"""Chunks per worker that backends are given at a time whose results come in lists."""


class Result(NamedTuple):
    """What a chunk came to: designs evaluated, how many are feasible within the constraints, what is kept of these."""

    evaluated: int
    feasible: int
    kept: Chunk


class ChunkEvaluator:
    """Evaluates blocks of a problem's designs; of those feasible within the constraints it keeps what ``keep`` says.

    It may be sent to other processes with every block: its pickle, tens of kB, is made once and read once per process,
    which keeps its tables and mappings for later blocks. The folder, if there is one, must be seen by all of them.
    """

    def __init__(self, problem: Problem, folder: DesignFolder | None, keep: Callable[[Chunk], Chunk]) -> None:
        self._problem = problem
        self._folder = folder
        self._keep = keep

    def __call__(self, block: PermittedBlock) -> Result:
        def evaluate() -> dict[str, NDArray[Any]]:
            return {name: column[block.places] for name, column in self._problem.evaluator(block.indices).items()}

        ids = block.ids
        chunk = Chunk(ids, evaluate()) if self._folder is None else self._folder.chunk(ids, evaluate)
        possible = chunk.of(self._problem.holds(chunk.ids, chunk.columns))
        return Result(len(ids), len(possible.ids), self._keep(possible))

    @cached_property
    def _pickled(self) -> bytes:
        return pickle.dumps((self._problem.without_tables(), self._folder, self._keep))

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self._pickled,)


@lru_cache(maxsize=1)
def _received(pickled: bytes) -> ChunkEvaluator:
    return ChunkEvaluator(*pickle.loads(pickled))


def evaluate_blocks(
    evaluator: ChunkEvaluator, blocks: Iterator[PermittedBlock], jobs: int
) -> Generator[Result, None, None]:
    """The results of ``blocks``, in their order, by ``jobs`` threads or the workers of joblib's active backend.

    Blocks that were lost with a worker are evaluated again; InputError if that goes on.
    """
    open_blocks: deque[PermittedBlock] = deque()
    failures = 0

    def calls(blocks: Iterator[PermittedBlock]) -> Iterator[Any]:
        for block in blocks:
            open_blocks.append(block)
            yield joblib.delayed(evaluator)(block)

    while failures < ATTEMPTS:
        lost = list(open_blocks)
        open_blocks.clear()
        try:
            with _stopped(_called(calls(chain(lost, blocks)), jobs)) as results:
                for result in results:
                    open_blocks.popleft()
                    failures = 0
                    yield result
            return
        except BrokenExecutor:
            failures += 1
    raise InputError(
        f"a worker ended {ATTEMPTS} times at the designs from {open_blocks[0].ids[0]} on, as for want of memory; "
        "give fewer jobs"
    )


def _called(calls: Iterator[Any], jobs: int) -> Generator[Result, None, None]:
    one_by_one = get_active_backend(prefer="threads")[0].supports_return_generator
    with joblib.Parallel(jobs, prefer="threads", return_as="generator" if one_by_one else "list") as workers:
        if one_by_one:
            yield from workers(calls)
            return
        while results := workers(islice(calls, ROUND * joblib.effective_n_jobs(jobs))):
            yield from results


@contextmanager
def _stopped(results: Generator[Result, None, None]) -> Iterator[Iterator[Result]]:
    """``results`` at whose end the workers stop, without joblib's warning of what they leave undone."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()
