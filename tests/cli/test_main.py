from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"hwexplore {version('hwexplore')}\n", "")


@pytest.mark.parametrize("command", ["explore", "explain", "formats", "pe", "technology", "workloads"])
def test_help(command: str, run: Run) -> None:
    assert command in run("--help")[1]
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Usage: hwexplore" in out


@pytest.mark.parametrize("command", [[], ["formats"]])
def test_no_command_prints_the_help(command: list[str], run: Run) -> None:
    code, out, err = run(*command)
    assert code == 2
    assert "Usage: hwexplore" in out + err
