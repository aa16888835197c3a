"""The examples in docs/questions.md print what stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

TEXT = (Path(__file__).parents[2] / "docs" / "questions.md").read_text("utf-8")
EXAMPLES = [
    example.partition("\n")[::2]
    for block in re.findall(r"^```\n(\$ .*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for example in block.removeprefix("$ ").split("\n$ ")
]
QUESTIONS = ("front best", "front knee", "front formats", "front diff", "winner", "sql")


def test_examples(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text("".join(re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)))
    answered = []
    for command, expected in EXAMPLES:
        program, *arguments = shlex.split(command)
        code, out, err = run(*arguments)
        assert (program, code, err) == ("hwexplore", 0, "")
        if arguments[0] != "explore":
            assert out.splitlines() == expected.splitlines()
            answered.append(command)
    assert all(any(command.startswith(f"hwexplore {question} ") for command in answered) for question in QUESTIONS)
    exec(re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0], {})
