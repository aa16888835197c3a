"""A calibration's runs: every PE on every node, in parallel, each result kept as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from joblib import Parallel, delayed

from hwexplore.calibration.measurements import measure
from hwexplore.calibration.runs import Chosen, Node, recipes_elsewhere, synthesise
from hwexplore.errors import InputError
from hwexplore.pe import PE

__all__ = ["Outcome", "run"]


@dataclass(frozen=True)
class Outcome:
    """What came of one PE: its measurements, and what went wrong by node."""

    pe: str
    measured: Sequence[tuple[Chosen, Mapping[str, float]]]
    failures: Mapping[str, str]


def run(nodes: Sequence[Node], pes: Sequence[PE], jobs: int) -> Iterator[Outcome]:
    """Synthesise and measure ``pes`` on each of ``nodes``, a PE at a time, in an order drawn by hash, as they come.

    The first node tries all recipes for area, the others those that won there. A failure stops nothing else, and what
    was done before is taken from the cache.
    """
    order = sorted(pes, key=lambda pe: sha256(str(pe).encode()).digest())
    yield from Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2 * n_jobs")(
        delayed(_run)(pe, nodes) for pe in order
    )


def _run(pe: PE, nodes: Sequence[Node]) -> Outcome:
    measured: list[tuple[Chosen, Mapping[str, float]]] = []
    failures = {}
    on_first: Sequence[Chosen] = ()
    for node in nodes:
        try:
            chosen = synthesise(pe, node, recipes_elsewhere(on_first, node) if on_first else None)
            on_first = on_first or chosen
            measured += [(one, measure(one, node)) for one in chosen]
        except (InputError, RuntimeError, OSError) as error:
            failures[node.name] = str(error)
    return Outcome(str(pe), measured, failures)
