"""The wheel, in an environment of its own: neither hwexplore nor its dependencies are there."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.fpga.build import TOP, Build
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.package import package
from hwexplore.pe import PE

PROBE = """
import json, sys
sys.path.insert(0, {wheel!r})
import numpy as np
from importlib.resources import files
from board_overlay.fpga.driver.gemm import BoardShell
from board_overlay.accelerator import streams
shell = BoardShell.of(json.loads(files("board_overlay.overlay").joinpath("hwexplore_gemm.json").read_text()))
codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
print(streams.words(shell.array, codes, codes).tobytes().hex())
print(np.__version__)
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"hwexplore", "pandas", "scipy", "amaranth", "pynq"}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    array = SystolicArray(pe=PE.parse("mac(int8, int8, acc=int32)"), rows=2, cols=2)
    Build(overlay=Overlay(array=array), verilog="", hash=0xABC).write(tmp_path)
    (tmp_path / "my.bit").write_bytes(b"\0bits")
    (tmp_path / "my.hwh").write_text("<EDKSYSTEM/>")
    return tmp_path


def test_content(folder: Path) -> None:
    wheel = package(folder, folder / "my.bit", folder / "out", "board_overlay")
    assert wheel.name == "board_overlay-0.1.0+0000000000000abc-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read(f"board_overlay/overlay/{TOP}.bit") == b"\0bits"
        assert archive.read(f"board_overlay/overlay/{TOP}.hwh") == b"<EDKSYSTEM/>"
        source = "".join(archive.read(name).decode() for name in names if name.endswith(".py"))
        entry_points = archive.read("board_overlay-0.1.0+0000000000000abc.dist-info/entry_points.txt").decode()
    assert "from hwexplore" not in source
    assert "import hwexplore" not in source
    for line in ("board_overlay.overlay", "board_overlay.fpga.driver.board", "board_overlay.notebooks"):
        assert f"board_overlay = {line}\n" in entry_points
    assert wheel.read_bytes() == package(folder, folder / "my.bit", folder / "again", "board_overlay").read_bytes()


@pytest.mark.slow
def test_runs_alone(folder: Path, board_python: Path) -> None:
    wheel = package(folder, folder / "my.bit", folder, "board_overlay")
    ran = subprocess.run(
        [board_python, "-I", "-c", PROBE.format(wheel=str(wheel))], capture_output=True, text=True, check=True
    )
    words, numpy, others = ran.stdout.splitlines()
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    array = SystolicArray(pe=PE.parse("mac(int8, int8, acc=int32)"), rows=2, cols=2)
    assert words == streams.words(array, codes, codes).tobytes().hex()
    assert numpy.startswith("1.")
    assert others == "[]"


@pytest.mark.parametrize(
    ("name", "bit", "sentence"),
    [
        ("hwexplore", "my.bit", r"^name 'hwexplore' must be lower-case"),
        ("A b", "my.bit", r"^name 'A b' must be"),
        ("a", "none.bit", r"none.bit cannot be read: No such file"),
    ],
)
def test_bad_input(name: str, bit: str, sentence: str, folder: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        package(folder, folder / bit, folder, name)


def test_folder_in_the_way(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^output folder .* cannot be made"):
        package(folder, folder / "my.bit", folder / "my.bit")


def test_other_families(folder: Path) -> None:
    array = SystolicArray(pe=PE.parse("lut(int2, int8, m=2, n=2, k=4)"), rows=2, cols=2)
    Build(overlay=Overlay(array=array), verilog="", hash=1).write(folder)
    with pytest.raises(InputError, match="the driver packs operands of family mac"):
        package(folder, folder / "my.bit", folder)
