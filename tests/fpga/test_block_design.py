"""The block design for the ZCU104: complete, and no address twice."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.fpga.block_design import BlockDesign, zcu104
from hwexplore.fpga.core import ports
from hwexplore.fpga.overlay import Overlay
from hwexplore.pe import PE

OVERLAY = Overlay(array=SystolicArray(pe=PE.parse("mac(int8, int8, acc=int32)"), rows=4, cols=4, bus_bits=64))
INTERFACES = {
    "ps": ["M_AXI_HPM0_FPD", "S_AXI_HP0_FPD"],
    "reset": [],
    "control": ["S00_AXI", "M00_AXI", "M01_AXI"],
    "memory": ["S00_AXI", "S01_AXI", "M00_AXI"],
    "dma": ["S_AXI_LITE", "M_AXI_MM2S", "M_AXI_S2MM", "M_AXIS_MM2S", "S_AXIS_S2MM"],
    "core": ["s_axi", "s_axis", "m_axis"],
    "interrupts": [],
}
"""Interface pins of each cell, as configured: PG021, PG201, PG247."""
INPUTS = {
    "ps": ["maxihpm0_fpd_aclk", "saxihp0_fpd_aclk", "pl_ps_irq0"],
    "reset": ["slowest_sync_clk", "ext_reset_in"],
    "control": ["aclk", "aresetn"],
    "memory": ["aclk", "aresetn"],
    "dma": ["s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk", "axi_resetn"],
    "core": ["aclk", "aresetn"],
    "interrupts": ["In0", "In1", "In2"],
}
"""Pins beside them that have to be driven."""


@pytest.fixture
def design() -> BlockDesign:
    return zcu104(OVERLAY)


def test_every_pin_is_connected_once(design: BlockDesign) -> None:
    assert [cell.name for cell in design.cells] == list(INTERFACES)
    pins = [pin for pair in design.interfaces for pin in pair]
    assert sorted(pins) == sorted(f"{cell}/{pin}" for cell, its in INTERFACES.items() for pin in its)
    driven = [pin for its in design.nets.values() for pin in its]
    assert sorted(driven) == sorted(f"{cell}/{pin}" for cell, its in INPUTS.items() for pin in its)
    for pair in design.interfaces:
        assert [pin.split("/")[1][0].upper() for pin in pair] == ["M", "S"]


def test_the_core_has_these_pins(design: BlockDesign) -> None:
    ours = {pin.removeprefix("core/") for pin in (*design.nets, *chain(*design.nets.values())) if "core/" in pin}
    assert ours == {"aclk", "aresetn", "irq"}
    assert ours < set(ports(OVERLAY))
    buses = {pin.removeprefix("core/") for pair in design.interfaces for pin in pair if "core/" in pin}
    assert buses == {name.rsplit("_", 1)[0] for name in ports(OVERLAY)} - {"aclk", "aresetn", "irq"}


def test_no_address_twice(design: BlockDesign) -> None:
    for one, other in combinations(design.segments, 2):
        if one.space == other.space:
            assert one.base + one.size <= other.base or other.base + other.size <= one.base
    for segment in design.segments:
        assert segment.base % segment.size == 0
    [core] = [segment for segment in design.segments if segment.segment.startswith("core/")]
    assert (core.base, core.size) == (0xA000_0000, 4096)


def test_widths(design: BlockDesign) -> None:
    [dma] = [cell for cell in design.cells if cell.name == "dma"]
    assert dma.config["c_m_axis_mm2s_tdata_width"] == 64
    assert dma.config["c_s_axis_s2mm_tdata_width"] == 128
    assert dma.config["c_sg_length_width"] == 26


@pytest.mark.parametrize("clock_mhz", [0.0, -1.0, 501.0, float("nan")])
def test_bad_clock(clock_mhz: float) -> None:
    with pytest.raises(InputError, match=r"^clock_mhz = .* must be above 0 and at most 500$"):
        zcu104(OVERLAY, clock_mhz)
