"""The predicted hand-off, read by the parser of the stock pynq in its own environment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.fpga.block_design import zcu104
from hwexplore.fpga.build import build
from hwexplore.fpga.handoff import prediction
from hwexplore.fpga.overlay import Overlay
from hwexplore.pe import PE

pytestmark = pytest.mark.slow  # the environments take minutes to install

OVERLAY = Overlay(array=SystolicArray(pe=PE.parse("mac(int4, int4, acc=int16)"), rows=2, cols=2, depth=4, bus_bits=64))
READ = """
import json, sys
from pynq.pl_server import hwh_parser
read = hwh_parser._HWHUltrascale(hwh_name=sys.argv[1])
wanted = {name: getattr(read, name) for name in ("ip_dict", "interrupt_pins", "clock_dict", "mem_dict", "partial")}
print(json.dumps(wanted, default=str))
"""


@pytest.fixture(scope="module")
def read(board_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("handoff") / "hwexplore.hwh"
    path.write_text(prediction(build(OVERLAY), zcu104(OVERLAY)), "utf-8")
    ended = subprocess.run([board_python, "-c", READ, path], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def test_pynq_finds_core_and_dma(read: dict[str, Any]) -> None:
    assert not read["partial"]
    ips = {name: (ip["phys_addr"], ip["addr_range"]) for name, ip in read["ip_dict"].items() if "phys_addr" in ip}
    assert ips == {"core": (0xA000_0000, 4096), "dma": (0xA001_0000, 65536)}
    assert read["ip_dict"]["dma"]["parameters"]["c_sg_length_width"] == "26"
    registers = read["ip_dict"]["core"]["registers"]
    assert registers["status"]["address_offset"] == 0x54
    assert registers["status"]["fields"]["done"]["bit_offset"] == 1
    assert read["ip_dict"]["dma"]["registers"]["S2MM_LENGTH"]["address_offset"] == 0x58


def test_pynq_finds_interrupts_and_clock(read: dict[str, Any]) -> None:
    pins = {pin: its["index"] for pin, its in read["interrupt_pins"].items()}
    assert {name: pins[name] for name in ("core/irq", "dma/mm2s_introut", "dma/s2mm_introut")} == {
        "core/irq": 0,
        "dma/mm2s_introut": 1,
        "dma/s2mm_introut": 2,
    }
    assert read["clock_dict"]["0"]["enable"] == 1
