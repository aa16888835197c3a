"""`hwexplore claims`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_json_gives_the_evidence(run: Any) -> None:
    code, out, _ = run("claims", "shift-add", "--json")
    assert code == 0
    rows = json.loads(out)
    assert all(row["name"].startswith("shift-add/") for row in rows)
    assert all(row["ours"]["low"] <= row["ours"]["mid"] <= row["ours"]["high"] for row in rows)


def test_a_claim_is_printed_with_its_setting(run: Any) -> None:
    name = "shift-add/area-int8-group-sum"
    code, out, _ = run("claims", name)
    assert code == 0
    [row] = json.loads(run("claims", name, "--json")[1])
    for part in (name, row["verdict"], row["statement"], row["setting"], row["why"], f"{row['ours']['mid']:.3g}"):
        assert part in out


def test_all_claims_are_printed_without_reasons(run: Any) -> None:
    code, out, _ = run("claims")
    assert code == 0
    assert "fp8/fp32-area" in out
    assert "minifloats/pareto" in out
    assert "setting:" not in out


def test_document_is_written(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "claims.md"
    assert run("claims", "shift-add", "--write", file) == (0, "", "")
    assert "| `shift-add/energy-int8` |" in file.read_text("utf-8")


def test_unknown_claim(run: Any) -> None:
    code, _, error = run("claims", "fp9")
    assert code == 2
    assert "fp8" in error
