from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner

from hwexplore.cli.main import app
from hwexplore.errors import InputError
from hwexplore.search import DesignFolder, Space, backend, explore, read_metadata
from hwexplore.search.chunks import evaluate_blocks
from hwexplore.workloads import Workload


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A Dask cluster of this machine: two worker processes, each with a nanny that starts it again."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        yield cluster


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_workers_lose_nothing(
    kills: int, cluster: LocalCluster, small_space: Space, small_workload: Workload, small_chunks: int, tmp_path: Path
) -> None:
    """Front, counts and files are those of a search by one thread; ``kills`` of two workers die in mid-run."""
    undisturbed = explore(small_space, small_workload, designs=DesignFolder(tmp_path / "undisturbed"))
    pids = {name: nanny.pid for name, nanny in cluster.workers.items()}
    alive, seen = list(pids.values())[:kills], []

    def kill(done: int) -> None:
        seen.append(done)
        if alive and done > 200:
            os.kill(alive.pop(), signal.SIGKILL)

    with backend("dask", cluster.scheduler_address):
        front = explore(small_space, small_workload, designs=DesignFolder(tmp_path / "killed"), progress=kill)
    assert not alive
    assert 0 < min(np.diff([0, *seen])) <= max(np.diff([0, *seen])) <= small_chunks
    assert front.complete
    assert (front.evaluated, front.feasible) == (undisturbed.evaluated, undisturbed.feasible)
    pd.testing.assert_frame_equal(front.to_frame(), undisturbed.to_frame(), check_exact=True)
    assert files(tmp_path / "killed") == files(tmp_path / "undisturbed")


def test_command_line(cluster: LocalCluster, small_space: Space, tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(small_space.to_toml())
    front = {}
    for name, options in {"dask": ["--backend", "dask", "--scheduler", cluster.scheduler_address], "here": []}.items():
        command = ["explore", "smollm2-135m", "--space", tmp_path / "space.toml", "--out", tmp_path / f"{name}.parquet"]
        result = CliRunner().invoke(app, [*map(str, command), *options, "--fidelity", "roofline"])
        assert result.exit_code == 0, result.output
        front[name] = read_metadata(tmp_path / f"{name}.parquet")
        del front[name]["seconds"]
    assert front["dask"] == front["here"]
    assert front["dask"]["front"]


def test_workers_that_die_again_and_again(
    cluster: LocalCluster, small_space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(block: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with (
        pytest.raises(InputError, match="workers died at the same chunk, as for want of memory"),
        backend("dask", cluster.scheduler_address),
    ):
        list(evaluate_blocks(die, small_space.permitted_blocks(500), 1))


def test_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwexplore.search.backends.PATIENCE_S", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as empty,
        pytest.raises(InputError, match=r"the scheduler at tcp://.* has no worker after 0.5 s"),
        backend("dask", empty.scheduler_address),
    ):
        pass
