"""Block designs as data: the cells around a core, what is connected to what, and who sees what at which address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwexplore.errors import InputError
from hwexplore.fpga.build import TOP
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.registers import ADDRESS_BITS

__all__ = ["BlockDesign", "Cell", "Segment", "zcu104"]

LENGTH_BITS = 26
"""Of a transfer of the DMA: 64 MiB less a byte, the most that it has in simple mode (PG021)."""
MAX_CLOCK_MHZ = 500


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: an IP by its VLNV, the version of which may be ``*``, or a module of ours by name."""

    name: str
    vlnv: str | None = None
    module: str | None = None
    config: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What a master sees: ``size`` bytes of a slave's ``segment`` from address ``base`` of its ``space``."""

    space: str
    segment: str
    base: int
    size: int


@dataclass(frozen=True, kw_only=True)
class BlockDesign:
    """A design for one ``part`` and ``board`` part.

    ``interfaces`` are pairs of a master's and a slave's interface pin; ``nets`` give the pins that a pin drives. Pins
    are written ``CELL/PIN``.
    """

    name: str
    part: str
    board: str
    cells: tuple[Cell, ...]
    interfaces: tuple[tuple[str, str], ...]
    nets: Mapping[str, tuple[str, ...]]
    segments: tuple[Segment, ...]


def zcu104(overlay: Overlay, clock_mhz: float = 100.0) -> BlockDesign:
    """The core and a DMA on a ZCU104: registers through HPM0, memory through HP0, one clock and one reset.

    The DMA is in simple mode, without unaligned transfers: its buffers begin at whole beats.
    """
    if not 0 < clock_mhz <= MAX_CLOCK_MHZ:
        raise InputError(f"clock_mhz = {clock_mhz} must be above 0 and at most {MAX_CLOCK_MHZ}")
    cells = (
        Cell(
            name="ps",
            vlnv="xilinx.com:ip:zynq_ultra_ps_e:*",
            config={
                "PSU__USE__M_AXI_GP0": 1,
                "PSU__USE__M_AXI_GP1": 0,
                "PSU__USE__M_AXI_GP2": 0,
                "PSU__USE__S_AXI_GP2": 1,
                "PSU__SAXIGP2__DATA_WIDTH": 128,
                "PSU__USE__IRQ0": 1,
                "PSU__FPGA_PL0_ENABLE": 1,
                "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{clock_mhz:g}",
            },
        ),
        Cell(name="reset", vlnv="xilinx.com:ip:proc_sys_reset:*"),
        Cell(name="control", vlnv="xilinx.com:ip:smartconnect:*", config={"NUM_SI": 1, "NUM_MI": 2}),
        Cell(name="memory", vlnv="xilinx.com:ip:smartconnect:*", config={"NUM_SI": 2, "NUM_MI": 1}),
        Cell(
            name="dma",
            vlnv="xilinx.com:ip:axi_dma:*",
            config={
                "c_include_sg": 0,
                "c_sg_include_stscntrl_strm": 0,
                "c_sg_length_width": LENGTH_BITS,
                "c_addr_width": 32,
                "c_include_mm2s": 1,
                "c_include_mm2s_dre": 0,
                "c_m_axi_mm2s_data_width": overlay.words_bits,
                "c_m_axis_mm2s_tdata_width": overlay.words_bits,
                "c_mm2s_burst_size": 16,
                "c_include_s2mm": 1,
                "c_include_s2mm_dre": 0,
                "c_m_axi_s2mm_data_width": overlay.results_bits,
                "c_s_axis_s2mm_tdata_width": overlay.results_bits,
                "c_s2mm_burst_size": 16,
            },
        ),
        Cell(name="core", module=TOP),
        Cell(name="interrupts", vlnv="xilinx.com:ip:xlconcat:*", config={"NUM_PORTS": 3}),
    )
    interfaces = (
        ("ps/M_AXI_HPM0_FPD", "control/S00_AXI"),
        ("control/M00_AXI", "core/s_axi"),
        ("control/M01_AXI", "dma/S_AXI_LITE"),
        ("dma/M_AXIS_MM2S", "core/s_axis"),
        ("core/m_axis", "dma/S_AXIS_S2MM"),
        ("dma/M_AXI_MM2S", "memory/S00_AXI"),
        ("dma/M_AXI_S2MM", "memory/S01_AXI"),
        ("memory/M00_AXI", "ps/S_AXI_HP0_FPD"),
    )
    nets = {
        "ps/pl_clk0": (
            "ps/maxihpm0_fpd_aclk",
            "ps/saxihp0_fpd_aclk",
            "reset/slowest_sync_clk",
            "control/aclk",
            "memory/aclk",
            "dma/s_axi_lite_aclk",
            "dma/m_axi_mm2s_aclk",
            "dma/m_axi_s2mm_aclk",
            "core/aclk",
        ),
        "ps/pl_resetn0": ("reset/ext_reset_in",),
        "reset/peripheral_aresetn": ("control/aresetn", "memory/aresetn", "dma/axi_resetn", "core/aresetn"),
        "core/irq": ("interrupts/In0",),
        "dma/mm2s_introut": ("interrupts/In1",),
        "dma/s2mm_introut": ("interrupts/In2",),
        "interrupts/dout": ("ps/pl_ps_irq0",),
    }
    segments = (
        Segment(space="ps/Data", segment="core/s_axi/reg0", base=0xA000_0000, size=1 << ADDRESS_BITS),
        Segment(space="ps/Data", segment="dma/S_AXI_LITE/Reg", base=0xA001_0000, size=1 << 16),
        Segment(space="dma/Data_MM2S", segment="ps/SAXIGP2/HP0_DDR_LOW", base=0, size=1 << 31),
        Segment(space="dma/Data_S2MM", segment="ps/SAXIGP2/HP0_DDR_LOW", base=0, size=1 << 31),
    )
    return BlockDesign(
        name="hwexplore",
        part="xczu7ev-ffvc1156-2-e",
        board="xilinx.com:zcu104:part0:*",
        cells=cells,
        interfaces=interfaces,
        nets=nets,
        segments=segments,
    )
