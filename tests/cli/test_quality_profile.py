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
    assert len(profile.table) == 21 * 2
    assert f"{profile.increases[('layers.0.down_proj', 'weights', 'int2_g32')]:.4f}" in out
    assert re.search(r"rank correlation with the measured loss of 4 random assignments: -?[01]\.\d{3}\n", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("charln",), "unknown network 'charln'; did you mean charlm"),
        (("charlm", "--proxy", "hesian"), "unknown proxy 'hesian'; did you mean hessian"),
        (("charlm", "--formats", "int4,fp9"), "unknown format 'fp9'"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str, run: Any, tmp_path: Path) -> None:
    code, _, err = run("quality", "profile", *arguments, "-o", tmp_path / "x.parquet")
    assert code == 2
    assert message in err
