"""``hwexplore calibrate fpga``."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomllib
from typer.testing import CliRunner

from hwexplore.calibration.fpga import Run
from hwexplore.calibration.fpga_runs import read
from hwexplore.cli.calibrate_fpga import app

COUNTS = {"lut": 10, "ff": 8, "dsp": 0, "carry": 2, "wide_mux": 0}


def test_run_writes_a_table_and_reports_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(run: Run) -> dict[str, int]:
        if "int4" in str(run.pe):
            raise RuntimeError("the last lines")
        return COUNTS

    monkeypatch.setattr(Run, "counts", counted)
    out = tmp_path / "fpga.parquet"
    pes = ("mac(int4, int4, acc=int32)", "mac(uint2, uint2, acc=exact(4))")
    options = [word for pe in pes for word in ("--pe", pe)]
    result = CliRunner().invoke(
        app, ["run", *options, "--jobs", "1", "--cache", str(tmp_path / "cache"), "-o", str(out)]
    )
    assert result.exit_code == 1
    assert "mac(int4, int4, acc=int32): the last lines" in result.stderr
    assert "wrote 1 of 2 syntheses" in result.stdout
    assert read(out)["pe"].tolist() == [pes[1]]


def test_runs_with_dsp_blocks_are_of_pes_that_use_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "counts", lambda run: COUNTS | {"dsp": int(run.dsp)})
    out = tmp_path / "fpga.parquet"
    options = ["--pe", "mac(int4, int4, acc=int32)", "--pe", "mac(int8, int8, acc=int32)", "--dsp", "--jobs", "1"]
    result = CliRunner().invoke(app, ["run", *options, "--cache", str(tmp_path / "cache"), "--out", str(out)])
    assert result.exit_code == 0
    table = read(out)
    assert (table["pe"].tolist(), table["dsp"].tolist()) == (["mac(int8, int8, acc=int32)"], [1])


def test_fit_shows_the_errors_of_held_out_pes() -> None:
    result = CliRunner().invoke(app, ["fit"])
    assert result.exit_code == 0
    assert "mean error on" in result.stdout


def test_fit_prints_the_coefficients() -> None:
    result = CliRunner().invoke(app, ["fit", "--toml"])
    assert tomllib.loads(result.stdout)["lut"]["luts"]["full_adder"] > 0
