"""What the metrics of designs depend on, so that those of another search are not taken for them."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwexplore.search.front import Problem

__all__ = ["digest", "identity"]

MODELS = ("accelerator", "formats", "pe", "quality", "technology", "workloads", "search")
"""The packages that metrics come from."""


def identity(problem: Problem, chunk: int) -> dict[str, Any]:
    """Everything that decides the metrics of the designs of ``problem`` and how they are cut into chunks.

    Objectives, and constraints on metrics, are not in it: they decide which designs remain.
    """
    space, quality = problem.space, problem.quality
    return {
        "hwexplore": version("hwexplore"),
        "numpy": version("numpy"),
        "code": _code(),
        "space": space.with_constraints([]).to_toml(),
        "constraints over parameters": [
            str(constraint) for constraint in space.constraints if constraint.over_parameters
        ],
        "workload": problem.workload.setting,
        "operators": digest(repr(problem.workload)),
        "technology": problem.technology.name,
        "coefficients": digest(repr(problem.technology)),
        "fidelity": problem.fidelity,
        "operands": problem.operands,
        "quality": None if quality is None else digest([repr(quality), quality.table.to_csv()]),
        "chunk": chunk,
    }


def digest(value: Any) -> str:
    """SHA-256 of JSON-serialisable data."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _code() -> str:
    folder = Path(str(files("hwexplore")))
    sources = sorted(file for package in MODELS for file in (folder / package).rglob("*.py"))
    return digest({str(file.relative_to(folder)): file.read_text("utf-8") for file in sources})
