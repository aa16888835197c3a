"""`hwexplore quality profile`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hwexplore.quality import Profile


def test_writes_a_profile_and_says_what_it_is_worth(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.parquet"
    arguments = ("quality", "profile", "charlm", "--formats", "int2_g32,int4_g32", "--windows", "4", "--check", "4")
    code, out, _ = run(*arguments, "-o", path)
    assert code == 0
    profile = Profile.read(path)
    assert profile.proxy == "fisher"
    assert len(profile.table) == 22 * 2
    assert f"{profile.increases[('layers.0.down_proj', 'weights', 'int2_g32')]:.2e}" in out
    assert re.search(r"rank correlation with the measured loss of 4 random assignments: -?[01]\.\d{3}\n", out)


def test_operands_have_formats_of_their_own(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.parquet"
    options = ("--operands", "kv_cache,activations", "--formats", "int4/int6,mxint8", "--windows", "2")
    code, out, _ = run("quality", "profile", "charlm", *options, "-o", path)
    assert code == 0
    assert "added by the kv_cache of each layer, fisher" in out
    formats = Profile.read(path).table.groupby("operand")["format"].unique()
    assert {operand: list(texts) for operand, texts in formats.items()} == {
        "kv_cache": ["int4"],
        "activations": ["int6", "mxint8"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("charln",), "unknown network 'charln'; did you mean charlm"),
        (("charlm", "--proxy", "hesian"), "unknown proxy 'hesian'; did you mean hessian"),
        (("charlm", "--formats", "int4,fp9"), "unknown format 'fp9'"),
        (("charlm", "--operands", "weight"), "unknown operand 'weight'; did you mean weights"),
        (("charlm", "--formats", "int4/int8"), "formats 'int4/int8' are 2 lists for 1 operands, weights"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str, run: Any, tmp_path: Path) -> None:
    code, _, err = run("quality", "profile", *arguments, "-o", tmp_path / "x.parquet")
    assert code == 2
    assert message in err
