from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search import DesignFolder, Front, Problem, Space, explore, read_metadata
from hwexplore.workloads import Workload

Run = Callable[..., Front]


@pytest.fixture(scope="module")
def run(small_space: Space, small_workload: Workload) -> Run:
    """Explores the small space in chunks of 200 at most; a folder, if given, is resumed."""

    def search(folder: DesignFolder | None = None, **options: Any) -> Front:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hwexplore.search.exhaustive.CHUNK", 200)
            given = {"fidelity": "roofline", "space": small_space, "workload": small_workload, **options}
            return explore(designs=folder, **given)

    return search


@pytest.fixture(scope="module")
def undisturbed(run: Run) -> Front:
    return run()


@pytest.fixture(scope="module")
def stored(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored") / "designs.parquet"
    run(DesignFolder(path))
    return path


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    """A copy of a folder with all designs."""
    return Path(shutil.copytree(stored, tmp_path / "copy.parquet"))


def parts(path: Path) -> list[Path]:
    return sorted(path.glob("[0-9]*.parquet"))


def assert_same(one: Front, other: Front) -> None:
    """Bit for bit."""
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    assert (one.evaluated, one.feasible) == (other.evaluated, other.feasible)


def test_rows_are_the_designs(stored: Path, small_problem: Problem, undisturbed: Front) -> None:
    space = small_problem.space
    table = pd.read_parquet(stored)
    assert len(parts(stored)) > 4
    np.testing.assert_array_equal(table["id"], np.arange(space.size))
    for name, column in space.values(np.arange(space.size)).items():
        assert table[name].astype(str).tolist() == column.astype(str).tolist()
    expected = undisturbed.problem.evaluate(np.arange(space.size))
    np.testing.assert_array_equal(table["reason"] == 0, expected["reason"] == "")
    for name in ("latency_s", "energy_j", "edp_js", "error"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_there_is_taken(jobs: int, run: Run, folder: Path, undisturbed: Front) -> None:
    before = [part.name for part in parts(folder)]
    for part in parts(folder)[1::2]:
        part.unlink()
    again = DesignFolder(folder, resume=True)
    assert_same(run(again, jobs=jobs), undisturbed)
    assert [part.name for part in parts(folder)] == before
    assert again.damaged == []
    assert 0 < again.reused < undisturbed.evaluated


def test_other_objectives_and_limits_of_metrics_take_the_same_designs(run: Run, folder: Path) -> None:
    options = {"objectives": ["energy_j", "tops"], "constraints": ["area_mm2 < 30"]}
    again = DesignFolder(folder, resume=True)
    assert_same(run(again, **options), run(**options))
    assert again.reused == size(folder)


def size(path: Path) -> int:
    return len(pd.read_parquet(path, columns=["id"]))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_part_is_not_believed(data: st.DataObject, run: Run, folder: Path, undisturbed: Front) -> None:
    """Any byte changed, or any number of them missing or added at the end."""
    whole = [(part.name, part.read_bytes()) for part in parts(folder)]
    part = data.draw(st.sampled_from(parts(folder)))
    content = bytearray(part.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["change", "cut", "add"])):
        case "change":
            content[at] ^= data.draw(st.integers(1, 255))
        case "cut":
            del content[at:]
        case "add":
            content += content[: at + 1]
    part.write_bytes(content)
    again = DesignFolder(folder, resume=True)
    assert_same(run(again), undisturbed)
    assert again.damaged == [part.name]
    assert [(part.name, part.read_bytes()) for part in parts(folder)] == whole


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_description_is_written_again(data: st.DataObject, run: Run, folder: Path) -> None:
    file = folder / "_run.json"
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    again = DesignFolder(folder, resume=True)
    assert run(again).complete
    assert again.reused == size(folder)
    assert again.damaged in (["_run.json"], [])
    assert json.loads(file.read_text())["run"]["fidelity"] == "roofline"


def test_a_part_under_another_name(run: Run, folder: Path, undisturbed: Front) -> None:
    first, second, *_ = parts(folder)
    shutil.copy(second, folder / f"{first.name[:12]}{second.name[12:]}")
    (folder / f"{first.name[:12]}-{'0' * 16}.parquet").mkdir()
    again = DesignFolder(folder, resume=True)
    assert_same(run(again), undisturbed)
    assert len(again.damaged) == 2
    assert again.reused == undisturbed.evaluated


def test_leftovers_of_a_kill_are_removed(run: Run, folder: Path) -> None:
    left = [folder / f".{parts(folder)[0].name}.123", folder / "._run.json.77"]
    for file in left:
        file.write_bytes(b"PAR1")
    (folder / ".precious").write_text("precious")
    run(DesignFolder(folder, resume=True))
    assert not any(file.exists() for file in left)
    assert (folder / ".precious").exists()


CAMPAIGN = """
import os, random, signal, sys, time
from hwexplore import workloads
from hwexplore.search import DesignFolder, Space, exhaustive, explore
path, space, kills, seconds = sys.argv[1], Space.load(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
workload = workloads.load("smollm2-135m", phase="decode", batch=4, context=512)
exhaustive.CHUNK = 200
random.seed(int(sys.argv[5]))
for kill in range(kills):
    child = os.fork()
    if not child:
        explore(space, workload, fidelity="roofline", designs=DesignFolder(path, resume=True))
        os._exit(0)
    time.sleep(random.uniform(0, seconds))
    os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills: int, run: Run, small_space: Space, tmp_path: Path) -> None:
    space = small_space.with_values(rows={"from": 1, "to": 10 * kills, "step": 1})
    (tmp_path / "space.toml").write_text(space.to_toml())
    undisturbed = run(DesignFolder(tmp_path / "undisturbed.parquet"), space=space)
    path = tmp_path / "designs.parquet"
    arguments = [path, tmp_path / "space.toml", kills, 0.2 + 1.5 * undisturbed.seconds / kills, kills]
    command = [sys.executable, "-c", CAMPAIGN, *map(str, arguments)]
    ends = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert ends.count("9") > kills // 2
    last = DesignFolder(path, resume=True)
    assert_same(run(last, space=space), undisturbed)
    assert last.reused > 0
    assert last.damaged == []
    tables = [pd.read_parquet(folder) for folder in (path, tmp_path / "undisturbed.parquet")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk(
    number: int, run: Run, undisturbed: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = tmp_path / "designs.parquet", []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 3:
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(
            InputError,
            match=f"designs.parquet/.*{os.strerror(number)}; the designs before it are kept, --resume goes on",
        ):
            run(DesignFolder(path), jobs=1)
    assert len(parts(path)) == 2
    assert not list(path.glob(".*"))
    again = DesignFolder(path, resume=True)
    assert_same(run(again), undisturbed)
    assert 0 < again.reused < undisturbed.evaluated


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"fidelity": "tile"}, "another fidelity: 'roofline', not 'tile'"),
        ({"technology": "asap7"}, "another technology: 'nangate45', not 'asap7'"),
        ({"operands": "uniform"}, "another operands: 'gaussian', not 'uniform'"),
        ({"constraints": ["rows < 4"]}, "another constraints over parameters"),
        ({"space": "rows"}, "another space; name another output"),
        ({"workload": "batch"}, "another workload: 'smollm2-135m decode, batch 4"),
        ({"quality": "profile"}, "another quality; name"),
    ],
)
def test_another_search_is_refused(
    options: dict[str, Any], what: str, run: Run, folder: Path, small_space: Space, small_workload: Workload
) -> None:
    row = ("lm_head", "weights", "int8_channel", 0.1)
    table = pd.DataFrame([row], columns=["layer", "operand", "format", "loss_increase"])
    made = {
        "rows": small_space.with_values(rows=[1, 8]),
        "batch": replace(small_workload, batch=5),
        "profile": Profile(network="a", metric="b", proxy="fisher", source="c", table=table),
    }
    options = {name: made.get(value, value) if isinstance(value, str) else value for name, value in options.items()}
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(InputError, match=f"copy.parquet holds a run with {what}"):
        run(DesignFolder(folder, resume=True), **options)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_other_models_are_another_search(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hwexplore.search.identity.MODELS", ("accelerator",))
        with pytest.raises(InputError, match="holds a run with another code; name another output"):
            run(DesignFolder(folder, resume=True))


def test_parts_of_another_search_are_not_deleted(run: Run, folder: Path, tmp_path: Path) -> None:
    run(DesignFolder(tmp_path / "other.parquet"), operands="uniform")
    parts(folder)[0].unlink()
    shutil.copy(parts(tmp_path / "other.parquet")[0], folder)
    with pytest.raises(InputError, match=r"copy.parquet/0{12}-.*.parquet is from another search; move it out"):
        run(DesignFolder(folder, resume=True))


def test_a_folder_is_not_overwritten(run: Run, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"copy.parquet holds a run already; go on with it by --resume, or name another"
    ):
        run(DesignFolder(folder))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("precious")
    for resume in (False, True):
        with pytest.raises(InputError, match="own is a folder that hwexplore explore did not write"):
            run(DesignFolder(tmp_path / "own", resume))
    (tmp_path / "empty").mkdir()
    assert run(DesignFolder(tmp_path / "empty")).complete


@pytest.mark.parametrize("name", ["file", "missing/designs.parquet"])
def test_unwritable(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match=r"cannot be written: (No such file|File exists)"):
        run(DesignFolder(tmp_path / name))
    assert (tmp_path / "file").read_text() == "precious"


def test_workers_in_other_processes_can_have_it(folder: Path, run: Run, undisturbed: Front) -> None:
    again = DesignFolder(folder, resume=True)
    run(again)
    ids, index = next(undisturbed.problem.space.blocks(200))
    chunk = pickle.loads(pickle.dumps(again)).chunk(ids, lambda: undisturbed.problem.evaluator(index))
    assert chunk.reused
    np.testing.assert_array_equal(chunk.columns["energy_j"], undisturbed.problem.evaluator(index)["energy_j"])


def test_metadata(run: Run, tmp_path: Path) -> None:
    folder = DesignFolder(tmp_path / "designs.parquet")
    run(folder)
    with pytest.raises(InputError, match="that run did not finish; hwexplore explore --resume finishes it"):
        read_metadata(folder.path)
    folder.close({"answer": [42]})
    assert read_metadata(folder.path) == {"answer": [42]}
    for name in ("none.parquet", "."):
        with pytest.raises(InputError, match="is not a folder that hwexplore explore wrote"):
            read_metadata(tmp_path / name)
    (folder.path / "_front.json").write_text("{")
    with pytest.raises(InputError, match="is not a folder that hwexplore explore wrote"):
        read_metadata(folder.path)
