"""`hwexplore quality model`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hwexplore.cli import quality_model
from hwexplore.quality.networks import load

SHORT = ("--windows", "2")


def test_a_row_per_method_and_format(run: Any) -> None:
    arguments = ("quality", "model", "charlm", "--formats", "int8,mxfp4", "--method", "rtn,hadamard+gptq", *SHORT)
    code, out, _ = run(*arguments, "--json")
    assert code == 0
    rows = json.loads(out)
    assert [(row["format"], row["method"]) for row in rows] == [
        *(("int8", "rtn"), ("mxfp4", "rtn"), ("int8", "hadamard+gptq"), ("mxfp4", "hadamard+gptq"))
    ]
    assert rows[0]["kl_nats"] < rows[1]["kl_nats"]
    code, out, _ = run(*arguments)
    assert code == 0
    for row in rows:
        assert f"{row['value']:.4f}" in out
        assert f"{row['kl_nats']:.5f}" in out


def test_perplexity_and_what_one_must_know(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    charlm = load("charlm")
    metric = replace(charlm.metric, perplexity=True)
    monkeypatch.setattr(quality_model, "load", lambda name: replace(charlm, metric=metric, remark="Read this."))
    arguments = ("quality", "model", "charlm", "--formats", "int3", *SHORT)
    rows = json.loads(run(*arguments, "--json")[1])
    code, out, _ = run(*arguments)
    assert code == 0
    assert rows[0]["metric"] == "bits per character"
    assert f"perplexity {2 ** (rows[0]['value'] - rows[0]['delta']):.2f}" in out
    assert f"{2 ** rows[0]['value']:.2f}" in out
    assert "Read this." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("charln",), "unknown network 'charln'; did you mean charlm"),
        (("charlm", "--formats", "int8,fp9"), "unknown format 'fp9'"),
        (("charlm", "--formats", ""), "unknown format ''"),
        (("charlm", "--method", "gptg"), "unknown method 'gptg'; did you mean gptq"),
        (("charlm", "--windows", "0"), "windows is 0; charlm has 2 to 128 held-out windows"),
        (("charlm", "--recent", "-1"), "recent is -1"),
        (("charlm", "--formats", "mxfp4", "--method", "dual"), "method 'dual' takes integers with a scale per group"),
    ],
)
def test_bad_input_is_one_sentence(run: Any, arguments: tuple[str, ...], message: str) -> None:
    code, out, error = run("quality", "model", *arguments)
    assert code == 2
    assert out == ""
    assert message in error
    assert error.count("\n") == 1
