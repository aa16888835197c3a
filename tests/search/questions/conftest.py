from __future__ import annotations

from pathlib import Path

import pytest

from hwexplore.search import DesignFolder, Front, Run, Space, explore
from hwexplore.workloads import Workload


def stored(path: Path, front_of: dict[str, object]) -> Run:
    """The run of an exploration in small parts, its folder closed as the command line does."""
    folder = DesignFolder(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwexplore.search.exhaustive.CHUNK", 200)
        front: Front = explore(designs=folder, **front_of)  # type: ignore[arg-type]
    folder.close(
        {
            "space": front.problem.space.to_toml(),
            "batch": front.problem.workload.batch,
            "objectives": list(front.objectives),
            "front": front.ids.tolist(),
            "complete": front.complete,
        }
    )
    return Run.read(path)


@pytest.fixture(scope="session")
def small_run(small_space: Space, small_workload: Workload, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small space, at the roofline."""
    path = tmp_path_factory.mktemp("run") / "designs.parquet"
    return stored(path, {"space": small_space, "workload": small_workload, "fidelity": "roofline"})


@pytest.fixture(scope="session")
def bounded_run(small_space: Space, small_workload: Workload, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Other rows, a constraint on a parameter and one on a metric, and other tiles."""
    path = tmp_path_factory.mktemp("run") / "it's [bounded].parquet"
    space = small_space.with_values(rows=[8, 16]).restricted(["sram_kib * rows > 600", "area_mm2 < 14"])
    return stored(path, {"space": space, "workload": small_workload})
