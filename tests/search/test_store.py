from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwexplore.errors import InputError
from hwexplore.search import DesignFile, Problem, Space, read_metadata


def test_rows_are_the_designs(small_problem: Problem, all_designs: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    space = small_problem.space
    with DesignFile(path, space) as file:
        for ids, mesh in space.blocks(100):
            file.write(ids, small_problem.evaluator(mesh))
        file.close({"answer": [42]})
    assert read_metadata(path) == {"answer": [42]}
    stored = pd.read_parquet(path)
    assert len(stored) == space.size
    np.testing.assert_array_equal(stored["id"], np.arange(space.size))
    for name in space.choices.values:
        assert stored[name].astype(str).tolist() == all_designs[name].astype(str).tolist()
    np.testing.assert_allclose(stored["latency_s"], all_designs["latency_s"], rtol=1e-12)
    np.testing.assert_array_equal(stored["reason"] == 0, all_designs["reason"] == "")


def test_an_existing_file_stays_until_the_first_write(small_space: Space, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    path.write_text("precious")
    with DesignFile(path, small_space):
        pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["", "missing/designs.parquet"])
def test_unwritable(name: str, small_problem: Problem, tmp_path: Path) -> None:
    ids, mesh = next(small_problem.space.blocks(10))
    with DesignFile(tmp_path / name, small_problem.space) as file, pytest.raises(InputError, match="cannot be written"):
        file.write(ids, small_problem.evaluator(mesh))


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.parquet is not a readable Parquet file"):
        read_metadata(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        read_metadata(tmp_path)
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1 and then something else PAR1")
    with pytest.raises(InputError, match=r"corrupt.parquet is not a readable Parquet file"):
        read_metadata(tmp_path / "corrupt.parquet")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet was not written by hwexplore explore"):
        read_metadata(tmp_path / "other.parquet")
