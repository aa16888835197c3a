from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.tensors import Tensor, measure_tensors, sweep

FORMATS = ["mxint4", "mxfp4", "int8_channel"]

PEAK = """
import resource, sys
from hwexplore.quality.tensors import measure_tensors
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure_tensors(sys.argv[1], ["nvfp4"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {f"layer{i}": rng.standard_normal((16, 64)).astype(np.float32) for i in range(4)}
    np.savez(tmp_path / "model.npz", **arrays, broken=np.array([[np.nan]]), ids=np.arange(3))
    return tmp_path / "model.npz"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tensors that are measured, in order; each is saved at once."""
    names: list[str] = []
    measure = sweep.measure

    def noting(tensor: Tensor, formats: object) -> dict[str, object]:
        names.append(tensor.name)
        if names.count("layer2") == 1 and tensor.name == "layer2":
            raise KeyboardInterrupt
        return measure(tensor, formats)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "measure", noting)
    monkeypatch.setattr(sweep, "SAVED_EVERY_S", -1)
    return names


def test_a_row_per_tensor(file: Path) -> None:
    told: list[tuple[int, int]] = []
    frame = measure_tensors(file, FORMATS, progress=lambda done, of: told.append((done, of)))
    assert list(frame.name) == ["layer0", "layer1", "layer2", "layer3", "broken", "ids"]
    assert list(frame.columns[:10]) == [
        *("name", "shape", "dtype", "elements", "std", "crest_factor", "block_crest_factor", "kurtosis"),
        *("distribution", "nu"),
    ]
    assert list(frame.columns[10:]) == [*FORMATS, "winner_4b", "skipped"]
    assert frame.skipped.str.contains("NaN|int64").tolist() == [False] * 4 + [True] * 2
    assert frame.int8_channel[:4].between(40, 46).all()
    assert told == [(done, 6) for done in range(6)]


def test_an_interrupted_sweep_goes_on(file: Path, tmp_path: Path, measured: list[str]) -> None:
    out = tmp_path / "sweep.parquet"
    with pytest.raises(KeyboardInterrupt):
        measure_tensors(file, FORMATS, out)
    assert list(pd.read_parquet(out).name) == ["layer0", "layer1"]
    frame = measure_tensors(file, FORMATS, out)
    assert measured == ["layer0", "layer1", "layer2", "layer2", "layer3", "broken", "ids"]
    again = measure_tensors(file, FORMATS, out)
    assert len(measured) == 7
    whole = measure_tensors(file, FORMATS)
    for other in (frame, again, pd.read_parquet(out)):
        pd.testing.assert_frame_equal(other, whole)


def test_an_output_of_something_else(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep.parquet"
    measure_tensors(file, FORMATS, out)
    with pytest.raises(InputError, match="is of another file or other formats; name another"):
        measure_tensors(file, [*FORMATS, "mxfp8"], out)
    pd.DataFrame({"a": [1]}).to_parquet(out)
    with pytest.raises(InputError, match="is of another file or other formats"):
        measure_tensors(file, FORMATS, out)
    out.write_text("notes")
    with pytest.raises(InputError, match="is there and is no Parquet file of this command"):
        measure_tensors(file, FORMATS, out)
    assert out.read_text() == "notes"
    with pytest.raises(InputError, match="cannot be written: there is no folder"):
        measure_tensors(file, FORMATS, tmp_path / "nowhere" / "sweep.parquet")


def test_an_output_that_cannot_be_written(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(InputError, match=r"sweep.parquet cannot be written: No space left on device"):
        measure_tensors(file, FORMATS, tmp_path / "sweep.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_nothing_to_measure(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"a.npz has no tensor that can be measured; w: all its elements are zero"):
        measure_tensors(tmp_path / "a.npz", FORMATS)
    np.savez(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a.npz has no tensor that can be measured$"):
        measure_tensors(tmp_path / "a.npz", FORMATS)


@pytest.mark.parametrize("formats", [[], ["mxfp4", "mxfp4"], ["mxfp4", "e2m1_g32_ue8m0"]])
def test_formats_are_different_ones(file: Path, formats: list[str]) -> None:
    with pytest.raises(InputError, match="expected one or more different ones"):
        measure_tensors(file, formats)


@pytest.mark.parametrize("mib", [96, pytest.param(1024, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, mib: int) -> None:
    """A file of one tensor, sparse on disk but for its first row."""
    rows, columns = mib * 2**20 // 4 // 4096, 4096
    entry = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [0, mib * 2**20]}
    header = json.dumps({"w": entry}).encode()
    path = tmp_path / "big.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + np.ones(columns, np.float32).tobytes())
        file.truncate(8 + len(header) + mib * 2**20)
    run = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 64 * 1024  # KiB
