"""A short run of the fuzzer; `make fuzz` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZER = Path(__file__).with_name("workloads.py")


def test_damaged_files_give_a_workload_or_a_sentence() -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    run = subprocess.run([sys.executable, FUZZER, "--inputs", "400"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "400 inputs: " in run.stdout
