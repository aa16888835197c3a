"""Milliseconds from the name of a catalogue model to the table of its operators, for every model and both phases.

Run with ``python benchmarks/workloads.py``. Best of twenty runs, with the catalogue in the file system's cache.
"""

from __future__ import annotations

from itertools import product
from timeit import repeat

from hwexplore import workloads
from hwexplore.workloads import Policy

RUNS = 20


def milliseconds(name: str, phase: str, policy: Policy) -> float:
    """Of the fastest run."""
    return 1e3 * min(repeat(lambda: workloads.load(name, phase=phase).to_frame(policy), number=1, repeat=RUNS))


def main() -> None:
    """Print the table, the slowest first."""
    policy = Policy(weights="int4_g128", activations="fp16", kv_cache="int8")
    cases = product(workloads.names(), ("prefill", "decode"))
    for duration, name, phase in sorted(((milliseconds(*case, policy), *case) for case in cases), reverse=True):
        print(f"{name:24} {phase:8} {duration:6.2f}")


if __name__ == "__main__":
    main()
