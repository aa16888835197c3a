"""Where chunks are evaluated: threads, processes, or the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import joblib
from joblib._dask import DaskDistributedBackend

from hwexplore.errors import InputError, unknown

__all__ = ["Backend", "backend"]

Backend = Literal["threads", "processes", "dask", "ray"]

JOBLIB = {"threads": "threading", "processes": "loky"}
PATIENCE_S = 30
"""How long a scheduler and its first worker are waited for."""


@contextmanager
def backend(name: Backend = "threads", scheduler: str | None = None) -> Iterator[None]:
    """Searches within are evaluated by threads or processes of this machine, or by a Dask or Ray cluster.

    ``scheduler`` is its address, such as ``tcp://host:8786``, or the JSON file that a Dask scheduler wrote; without one
    Ray starts a cluster of this machine. InputError if no scheduler or no worker answers, if what the backend needs is
    not installed, and if workers die too often at one chunk.
    """
    if name not in get_args(Backend):
        raise unknown("backend", name, get_args(Backend))
    if scheduler is not None and name in JOBLIB:
        raise InputError(f"scheduler {scheduler} is of no use to {name}; give the backend dask or ray")
    if name == "dask":
        with _dask(scheduler):
            yield
    elif name == "ray":
        with _ray(scheduler):
            yield
    else:
        with joblib.parallel_config(JOBLIB[name]):
            yield


@contextmanager
def _dask(scheduler: str | None) -> Iterator[None]:
    try:
        from distributed import CancelledError, Client, KilledWorker
    except ModuleNotFoundError:
        raise InputError("backend dask is not installed; pip install 'hwexplore[cluster]'") from None
    if scheduler is None:
        raise InputError("backend dask needs the address of a scheduler, as in --scheduler tcp://host:8786")
    where = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    try:
        client = Client(**where, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError:
            raise InputError(f"the scheduler at {scheduler} has no worker after {PATIENCE_S} s") from None
        try:
            with joblib.parallel_config(_Dask(client=client)):
                yield
        except KilledWorker as error:
            raise InputError(f"workers died at the same chunk, as for want of memory: {error}") from None
        except CancelledError as error:
            raise InputError(f"the scheduler at {scheduler} was lost: {error}") from None


class _Dask(DaskDistributedBackend):  # type: ignore[misc]
    """That of joblib waits for ever for what Dask has given up, or takes the error for a result; here it is raised."""

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        future = super().submit(func, callback)
        future.add_done_callback(lambda done: callback(done.exception()) if done.exception() else None)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)


@contextmanager
def _ray(scheduler: str | None) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ModuleNotFoundError:
        raise InputError("backend ray is not installed; pip install ray") from None
    register_ray()
    try:
        ray.init(address=scheduler, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise InputError(f"no Ray cluster answers at {scheduler}: {error}") from None
    try:
        with joblib.parallel_config("ray"):
            yield
    finally:
        ray.shutdown()
