from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile

TEXTS = {"network": "n", "metric": "nats per token", "proxy": "fisher", "source": "s"}
ROW = {"layer": "head", "operand": "weights", "format": "int4", "loss_increase": 0.5}


def test_what_is_written_is_read(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "profile.parquet"
    profile.write(path)
    back = Profile.read(path)
    pd.testing.assert_frame_equal(back.table, profile.table)
    assert (back.network, back.metric, back.proxy, back.source) == (
        "small",
        "nats per token",
        "one_at_a_time",
        "made up",
    )


def test_the_file_is_plain_parquet_of_the_documented_schema(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "profile.parquet"
    profile.write(path)
    file = pq.read_table(path)
    assert file.column_names == ["layer", "operand", "format", "loss_increase"]
    assert json.loads(file.schema.metadata[b"hwexplore_profile"]) == {
        "network": "small",
        "metric": "nats per token",
        "proxy": "one_at_a_time",
        "source": "made up",
    }


def test_look_up_by_the_formats_own_name() -> None:
    rows = [{**ROW, "format": name} for name in ("int4_g128 > int8", " int8 ")]
    profile = Profile(**TEXTS, table=pd.DataFrame(rows))
    assert profile.increases == {("head", "weights", "int4_g128>int8"): 0.5, ("head", "weights", "int8"): 0.5}
    assert profile.layers == ("head",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**ROW, "loss_increase": np.nan}], "row 0: loss_increase is nan; expected a finite number"),
        ([ROW, {**ROW, "format": "int8", "loss_increase": np.inf}], "row 1: loss_increase is inf"),
        ([{**ROW, "loss_increase": "much"}], "loss_increase is of type .*; expected numbers"),
        ([{**ROW, "operand": "weight"}], "unknown operand of a profile 'weight'; did you mean weights"),
        ([{**ROW, "format": "int99x"}], "profile: .*int99x"),
        ([{**ROW, "format": "mxfp4@pe"}], "says where scales are applied; expected storage"),
        ([{**ROW, "layer": ""}], "row 0: layer is ''; expected a text"),
        ([{**ROW, "layer": None}], "row 0: layer is None; expected a text"),
        ([ROW, ROW], "row 1: head weights int4 was there before"),
        ([{"layer": "head"}], "column operand is missing"),
    ],
)
def test_bad_rows_are_named(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Profile(**TEXTS, table=pd.DataFrame(rows))


def test_bad_texts_are_named(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="metric is ''; expected a text"):
        Profile(**{**TEXTS, "metric": ""}, table=table)
    with pytest.raises(InputError, match="unknown proxy of a profile 'fischer'; did you mean fisher"):
        Profile(**{**TEXTS, "proxy": "fischer"}, table=table)
    with pytest.raises(InputError, match="it has no rows"):
        Profile(**TEXTS, table=table[:0])


@pytest.mark.parametrize("metadata", [None, b"not json", b"[]", b'{"network": "n"}'])
def test_a_file_without_its_metadata_is_refused(metadata: bytes | None, table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    texts = {} if metadata is None else {b"hwexplore_profile": metadata}
    pq.write_table(pa.Table.from_pandas(table).replace_schema_metadata(texts), path)
    with pytest.raises(
        InputError, match=r"other\.parquet: its metadata 'hwexplore_profile' must be a JSON object of net"
    ):
        Profile.read(path)


def test_files_that_cannot_be(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and so on")
    for name in ("torn.parquet", "missing.parquet"):
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            Profile.read(tmp_path / name)
    with pytest.raises(InputError, match="cannot be written"):
        profile.write(tmp_path / "no" / "folder.parquet")
    path = tmp_path / "bad.parquet"
    texts = {b"hwexplore_profile": json.dumps(TEXTS).encode()}
    rows = pa.table({name: [value] for name, value in {**ROW, "operand": "bias"}.items()})
    pq.write_table(rows.replace_schema_metadata(texts), path)
    with pytest.raises(InputError, match=r"bad\.parquet: unknown operand of a profile 'bias'"):
        Profile.read(path)
