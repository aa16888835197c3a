"""Fronts and problems of earlier runs, from what they stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwexplore import technology as technologies
from hwexplore import workloads
from hwexplore.quality.profile import Profile
from hwexplore.search import Constraint, Front, Problem, Space, read_metadata

__all__ = ["load_front"]


def load_front(path: Path) -> Front:
    """The front that ``hwexplore explore --out`` left at ``path``, with the problem that it belongs to."""
    run = read_metadata(path)
    setting = {name: run[name] for name in ("phase", "batch", "context", "dims", "fuse", "expert_skew")}
    profile = Profile.read(run["quality"]) if run["quality"] else None
    workload = workloads.load(run["workload"], **setting, per_layer=profile is not None)
    problem = Problem(
        Space.parse(run["space"]),
        workload,
        technologies.load(run["technology"]),
        run["fidelity"],
        run["operands"],
        profile,
    )
    return Front(
        problem,
        tuple(run["objectives"]),
        tuple(map(Constraint.parse, run["constraints"])),
        np.array(run["front"], np.int64),
        evaluated=run["evaluated"],
        feasible=run["feasible"],
        seconds=run["seconds"],
    )
