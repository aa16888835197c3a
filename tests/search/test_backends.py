from __future__ import annotations

import sys

import joblib
import pytest

from hwexplore.errors import InputError
from hwexplore.search import Front, Space, backend, explore
from hwexplore.workloads import Workload


@pytest.mark.parametrize(
    ("name", "scheduler", "message"),
    [
        ("cluster", None, "unknown backend 'cluster'; known: dask, processes, ray, threads"),
        (
            "threads",
            "tcp://host:8786",
            "scheduler tcp://host:8786 is of no use to threads; give the backend dask or ray",
        ),
        ("dask", None, "backend dask needs the address of a scheduler, as in --scheduler tcp://host:8786"),
        ("dask", "tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9: "),
        ("dask", "nonsense://", "no Dask scheduler answers at nonsense://: "),
    ],
)
def test_bad_input(name: str, scheduler: str | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwexplore.search.backends.PATIENCE_S", 0.5)
    with pytest.raises(InputError, match=message), backend(name, scheduler):
        pass


@pytest.mark.parametrize(
    ("name", "package", "command"), [("dask", "distributed", "hwexplore.cluster"), ("ray", "ray", "ray")]
)
def test_not_installed(name: str, package: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with (
        pytest.raises(InputError, match=f"backend {name} is not installed; pip install .?{command}"),
        backend(name, "tcp://host:8786"),
    ):
        pass


def test_what_was_set_before_is_set_again() -> None:
    before = joblib.parallel.get_active_backend()[0]
    with backend("processes"):
        assert isinstance(joblib.parallel.get_active_backend()[0], joblib._parallel_backends.LokyBackend)
        with backend("threads"):
            assert isinstance(joblib.parallel.get_active_backend()[0], joblib._parallel_backends.ThreadingBackend)
    assert type(joblib.parallel.get_active_backend()[0]) is type(before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray(small_space: Space, small_workload: Workload, small_chunks: int, small_front: Front) -> None:
    pytest.importorskip("ray")
    with backend("ray"):
        front = explore(small_space, small_workload, jobs=2)
    assert front.ids.tolist() == small_front.ids.tolist()
