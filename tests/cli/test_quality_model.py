"""`hwexplore quality model`."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
