from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwexplore.cli import main

Run = Callable[..., tuple[int, str, str]]

SPACE = """
pe = ["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)"]
rows = [1, 16]
cols = [16, 256]
dataflow = ["os"]
clock_mhz = [250, "max"]
voltage = [1.1]
vector_lanes = [64]
sram_kib = [512]
dram = ["ddr4-3200", "hbm2"]
channels = [1]
policy = ["int8_channel/int8/int8", "int4_g128/int8/int8"]
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with these arguments: exit code, standard output, standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hwexplore", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A file with a space of 64 designs."""
    file = tmp_path / "space.toml"
    file.write_text(SPACE)
    return file


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that are good and files that are not, in the current folder."""
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "broken.toml").write_text("rows = [1")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name, text in {
        "zero": "rows = [0]",
        "negative": "sram_kib = [-1]",
        "nan": "clock_mhz = [nan]",
        "empty": "rows = []",
        "huge": f"rows = [{10**400}]",
        "typo": "row = [1]",
        "dram": 'dram = ["hbm9"]',
        "pe": 'pe = ["mac(int8, int9000, acc=int32)"]',
        "selector": 'policy = ["int8/int8/int8;lm_haed=fp16//"]',
        "impossible": SPACE.replace('[250, "max"]', "[9000]"),
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "broken.json").write_text('{"model_type": ')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "other.json").write_text(json.dumps({"model_type": "resnet"}))
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1 and so on")
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "folder.parquet" / "thesis.tex").write_text("precious")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "precious.parquet").write_text("precious")
    monkeypatch.chdir(tmp_path)
    return tmp_path
