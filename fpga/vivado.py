"""Tcl for Vivado: from a block design to a bitstream and its hand-off, in one command."""

from __future__ import annotations

from pathlib import Path

from hwexplore.errors import InputError
from hwexplore.fpga.block_design import BlockDesign, Cell
from hwexplore.fpga.build import TOP, Build
from hwexplore.fpga.handoff import prediction
from hwexplore.writing import write_whole

__all__ = ["IMAGES", "PREDICTION", "SCRIPT", "script", "write"]

IMAGES = {"2022.1": "3.0", "2024.1": "3.1", "2025.2": "4.0"}
"""The Vivado with which each PYNQ image was made, whose hand-offs it reads."""
SCRIPT = "build.tcl"
PREDICTION = "predicted.hwh"
UNUSED = ("HP0_LPS_OCM", "HP0_QSPI")
"""What else is behind HP0, and has to be excluded where it is."""


def write(made: Build, design: BlockDesign, folder: Path) -> list[Path]:
    """Write all that Vivado needs into ``folder``, and the hand-off to be expected; InputError if it cannot be made.

    ``vivado -mode batch -source build.tcl`` makes ``NAME.bit`` and ``NAME.hwh`` of it, NAME being the design's.
    """
    if any(character in design.name for character in ' \\/$[]{}"'):
        raise InputError(f"name {design.name!r} of a block design must be of letters, digits and _")
    files = made.write(folder)
    for name, text in ((SCRIPT, script(design)), (PREDICTION, prediction(made, design))):
        write_whole(folder / name, text)
        files.append(folder / name)
    return files


def script(design: BlockDesign) -> str:
    """The Tcl that builds ``design`` from the Verilog beside it."""
    parts = [PREPARE, *(_cell(cell) for cell in design.cells)]
    parts += [
        f"connect_bd_intf_net [get_bd_intf_pins {master}] [get_bd_intf_pins {slave}]"
        for master, slave in design.interfaces
    ]
    parts += [
        f"connect_bd_net [get_bd_pins {driver}] [get_bd_pins {pin}]"
        for driver, pins in design.nets.items()
        for pin in pins
    ]
    for segment in design.segments:
        parts.append(
            f"assign_bd_address -offset 0x{segment.base:08X} -range 0x{segment.size:08X} "
            f"-target_address_space [get_bd_addr_spaces {segment.space}] [get_bd_addr_segs {segment.segment}]"
        )
    for space, bus in {
        (one.space, one.segment.rsplit("/", 1)[0]): None for one in design.segments if _memory(one.segment)
    }:
        for name in UNUSED:
            parts.append(
                f"foreach unused [get_bd_addr_segs -quiet {bus}/{name}] "
                f"{{exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces {space}] $unused}}"
            )
    parts.append(FINISH)
    text = "\n".join(parts)
    images = " ".join(f"{vivado} {image}" for vivado, image in IMAGES.items())
    for key, value in {
        "@NAME@": design.name,
        "@PART@": design.part,
        "@BOARD@": design.board,
        "@TOP@": TOP,
        "@IMAGES@": images,
    }.items():
        text = text.replace(key, value)
    return text


def _memory(segment: str) -> bool:
    return segment.endswith("_DDR_LOW")


def _cell(cell: Cell) -> str:
    if cell.module:
        return f"create_bd_cell -type module -reference {cell.module} {cell.name}"
    lines = [f"create_bd_cell -type ip -vlnv [newest_ip {cell.vlnv}] {cell.name}"]
    if cell.vlnv and "zynq_ultra_ps_e" in cell.vlnv:
        lines.append(
            "apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e "
            f"-config {{apply_board_preset 1}} [get_bd_cells {cell.name}]"
        )
    if cell.config:
        lines += [
            "set_property -dict [list \\",
            *(f"    CONFIG.{name} {{{value}}} \\" for name, value in cell.config.items()),
            f"] [get_bd_cells {cell.name}]",
        ]
    return "\n".join(lines)


PREPARE = """\
# vivado -mode batch -source build.tcl
set here [file dirname [file normalize [info script]]]
set project [file join $here vivado]

proc stop {sentence} {
    puts stderr "ERROR: $sentence"
    exit 1
}

proc newest {found sentence} {
    if {[llength $found] == 0} {
        stop $sentence
    }
    return [lindex [lsort -dictionary $found] end]
}

proc newest_ip {vlnv} {
    return [newest [get_ipdefs -quiet $vlnv] "this Vivado has no IP $vlnv; use one that a PYNQ image was made with"]
}

set images [dict create @IMAGES@]
set vivado [join [lrange [split [version -short] .] 0 1] .]
if {[dict exists $images $vivado]} {
    puts "Vivado $vivado: for the PYNQ image [dict get $images $vivado]"
} else {
    puts "WARNING: no PYNQ image was made with Vivado $vivado; those known are from [dict keys $images]"
}

newest [get_parts -quiet @PART@] "this Vivado has no part @PART@; add the Zynq UltraScale+ devices to it"
set board [newest [get_board_parts -quiet @BOARD@] "this Vivado has no board @BOARD@; add it in the Vivado Store"]

create_project -force -part @PART@ @NAME@ $project
set_property board_part $board [current_project]
add_files -norecurse [file join $here @TOP@.v]
update_compile_order -fileset sources_1
create_bd_design @NAME@
"""

FINISH = """
validate_bd_design
save_bd_design
add_files -norecurse [make_wrapper -files [get_files @NAME@.bd] -top]
set_property top @NAME@_wrapper [current_fileset]
update_compile_order -fileset sources_1

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    stop "the design was not built: [get_property STATUS [get_runs impl_1]]; see runme.log below $project/@NAME@.runs"
}
foreach {statistic what} {WNS setup WHS hold TPWS {pulse width}} {
    set slack [get_property STATS.$statistic [get_runs impl_1]]
    if {![string is double -strict $slack] || $slack < 0} {
        stop "the slack of $what is $slack ns; build with a lower --clock-mhz or a smaller array"
    }
}
file copy -force [file join $project @NAME@.runs impl_1 @NAME@_wrapper.bit] [file join $here @NAME@.bit]
file copy -force [file join $project @NAME@.gen sources_1 bd @NAME@ hw_handoff @NAME@.hwh] [file join $here @NAME@.hwh]
puts "wrote @NAME@.bit and @NAME@.hwh"
"""
