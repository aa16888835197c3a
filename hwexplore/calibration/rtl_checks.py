"""Whether simulated RTL does what the models say: cores bit for bit, small arrays in the model's cycles too."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import SystolicArray, streams
from hwexplore.formats import Encoded
from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.rtl.gemm import gemm_modules
from hwexplore.rtl.gemm_replay import Product, multiply
from hwexplore.rtl.replay import replay
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import check_trace, random_operands
from hwexplore.rtl.verilog import pe_verilog
from hwexplore.writing import write_whole

__all__ = ["ArrayCheck", "CoreCheck", "check_arrays", "check_cores"]

TILES = 5
"""Tiles of m and of n in a product on an array, at least: more than it has rows and columns."""
TERMS = 32
"""Products of each of its sums, at least, unless the accumulator takes fewer."""

Check = TypeVar("Check", "CoreCheck", "ArrayCheck")


@dataclass(frozen=True, kw_only=True)
class CoreCheck:
    """A core against its golden model: the cycles simulated, and those in which it showed something else."""

    cycles: int
    mismatches: int

    @property
    def holds(self) -> bool:
        """Whether the core is what its golden model says."""
        return self.mismatches == 0


@dataclass(frozen=True, kw_only=True)
class ArrayCheck:
    """An m x n x k product on an array: how many of its results differ from the golden model, and its cycles."""

    rows: int
    cols: int
    dataflow: str
    m: int
    n: int
    k: int
    different: int
    cycles: int
    model_cycles: int

    @property
    def holds(self) -> bool:
        """Whether all results are right, after as many cycles as the model has."""
        return self.different == 0 and self.cycles == self.model_cycles


def check_cores(pes: Sequence[PE], pairs: int, simulator: Simulator, cache: Path) -> list[CoreCheck]:
    """Simulate the cores of distinct ``pes``, each on at least ``pairs`` operand pairs, with pauses and resets.

    A check is taken from the folder ``cache`` if the same RTL met the same inputs and expectations there.
    """
    traces = [check_trace(pe, pairs, np.random.default_rng(0)) for pe in pes]

    def simulated(new: Sequence[int], folder: Path) -> list[CoreCheck]:
        done = replay([(pes[i], traces[i]) for i in new], simulator, folder)
        return [CoreCheck(cycles=one.cycles, mismatches=len(one.mismatches)) for one in done]

    subjects = [pe_verilog(pe) + trace.to_csv() for pe, trace in zip(pes, traces, strict=True)]
    return _cached(CoreCheck, subjects, simulated, simulator, cache)


def check_arrays(arrays: Sequence[SystolicArray], simulator: Simulator, cache: Path) -> list[ArrayCheck]:
    """Simulate a product on each of ``arrays``, which have no vector unit; the ``cache`` is as for cores."""
    works = [_Work.on(array) for array in arrays]

    def simulated(new: Sequence[int], folder: Path) -> list[ArrayCheck]:
        done, _ = multiply([(arrays[i], [works[i].product]) for i in new], simulator, folder)
        return [works[i].check(arrays[i], one.words, one.cycles) for i, [one] in zip(new, done, strict=True)]

    subjects = [
        "".join(gemm_modules(array, "gemm").values()) + repr(work.sizes) + work.product.words.tobytes().hex()
        + repr(work.expected.tolist())
        for array, work in zip(arrays, works, strict=True)
    ]  # fmt: skip
    return _cached(ArrayCheck, subjects, simulated, simulator, cache)


@dataclass(frozen=True)
class _Work:
    """A random product, the codes [m, n] that it has to give, and the cycles that the model says it takes."""

    sizes: tuple[int, int, int]
    product: Product
    expected: Codes

    @classmethod
    def on(cls, array: SystolicArray) -> _Work:
        pe, rng = array.pe, np.random.default_rng(0)
        rows = TILES * max(pe.tile.m, pe.tile.n)
        weights, activations = random_operands(pe, rows**2 * max(TERMS, 3 * pe.tile.k), rng)
        expected = pe.golden(weights, activations)
        terms = (weights.codes if isinstance(weights, Encoded) else weights).shape[1]
        sizes = (*expected.shape, terms)
        words = streams.words(array, weights, activations)
        return cls(sizes, Product(sizes=array.sizes(*sizes), words=words), expected)

    def check(self, array: SystolicArray, words: NDArray[np.uint8], cycles: int) -> ArrayCheck:
        m, n, k = self.sizes
        return ArrayCheck(
            rows=array.rows,
            cols=array.cols,
            dataflow=array.dataflow,
            m=m,
            n=n,
            k=k,
            different=int((streams.results(array, words, m, n) != self.expected).sum()),
            cycles=cycles,
            model_cycles=int(array.cycles(m, n, k)),
        )


def _cached(
    kind: type[Check],
    subjects: Sequence[str],
    simulated: Callable[[Sequence[int], Path], list[Check]],
    simulator: Simulator,
    cache: Path,
) -> list[Check]:
    """A check per subject; those that are not in ``cache`` are ``simulated`` together, by number."""
    digests = [sha256(f"{simulator.name} {simulator.version} {subject}".encode()).hexdigest() for subject in subjects]
    files = [cache / f"{digest[:20]}.json" for digest in digests]
    if new := [number for number, file in enumerate(files) if not file.exists()]:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as folder:
            for number, check in zip(new, simulated(new, Path(folder)), strict=True):
                write_whole(files[number], json.dumps(asdict(check)))
    return [kind(**json.loads(file.read_text("utf-8"))) for file in files]
