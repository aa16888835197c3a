"""The part of a ``.hwh`` that pynq needs to find a core and its DMA, for the simulated board.

It is not what Vivado writes: there are no ports and no nets.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from hwexplore.fpga.block_design import Cell, zcu104
from hwexplore.fpga.build import Build
from hwexplore.fpga.registers import hwh

__all__ = ["handoff"]

AXI = "xilinx.com:interface:aximm:1.0"
VERSIONS = {"zynq_ultra_ps_e": "3.5", "axi_dma": "7.1"}
MASTER = "M_AXI_HPM0_FPD"
CLOCKS = {
    name: value
    for number in range(4)
    for name, value in (
        (f"PSU__FPGA_PL{number}_ENABLE", "0"),
        *((f"PSU__CRL_APB__PL{number}_REF_CTRL__DIVISOR{place}", "1") for place in range(2)),
        (f"PSU__CRL_APB__PL{number}_REF_CTRL__SRCSEL", "IOPLL"),
    )
}
"""What pynq reads of a processing system; the simulator's clock is not among them."""


def handoff(build: Build) -> str:
    """The XML for the core of ``build``, its DMA and the processing system, at the addresses of `zcu104`."""
    design = zcu104(build.overlay)
    cells = {cell.name: cell for cell in design.cells}
    root = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="")
    ElementTree.SubElement(root, "SYSTEMINFO", NAME=design.name, DEVICE="xczu7ev", ARCH="zynquplus")
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(root, "MODULES")
    slaves = {}
    for segment in design.segments:
        if segment.space == "ps/Data":
            name, interface, *_ = segment.segment.split("/")
            slaves[name] = interface
    for name, interface in slaves.items():
        module = _module(modules, cells[name])
        blocks = ElementTree.SubElement(module, "ADDRESSBLOCKS")
        if name == "core":
            block = ElementTree.SubElement(
                blocks,
                "ADDRESSBLOCK",
                {"ACCESS": "read-write", "INTERFACE": interface, "NAME": "reg0", "RANGE": "4096", "USAGE": "register"},
            )
            block.append(hwh(build.registers))
        _interfaces(module, {interface: "SLAVE"})
    processor = _module(modules, cells["ps"])
    _interfaces(processor, {MASTER: "MASTER"})
    memory = ElementTree.SubElement(processor, "MEMORYMAP")
    for segment in design.segments:
        if segment.space == "ps/Data":
            name, interface, block_name = segment.segment.split("/")
            ElementTree.SubElement(
                memory,
                "MEMRANGE",
                {
                    "ADDRESSBLOCK": block_name,
                    "BASENAME": "C_BASEADDR",
                    "BASEVALUE": f"{segment.base:#010X}".replace("X", "x"),
                    "HIGHNAME": "C_HIGHADDR",
                    "HIGHVALUE": f"{segment.base + segment.size - 1:#010X}".replace("X", "x"),
                    "INSTANCE": name,
                    "IS_DATA": "TRUE",
                    "MASTERBUSINTERFACE": MASTER,
                    "MEMTYPE": "REGISTER",
                    "SLAVEBUSINTERFACE": interface,
                },
            )
    return ElementTree.tostring(root, "unicode")


def _module(modules: ElementTree.Element, cell: Cell) -> ElementTree.Element:
    kind = cell.module or str(cell.vlnv).split(":")[2]
    vlnv = f"xilinx.com:module_ref:{kind}:1.0" if cell.module else f"xilinx.com:ip:{kind}:{VERSIONS[kind]}"
    module = ElementTree.SubElement(
        modules,
        "MODULE",
        {"FULLNAME": f"/{cell.name}", "INSTANCE": cell.name, "IS_ENABLE": "1", "MODTYPE": kind, "VLNV": vlnv},
    )
    parameters = ElementTree.SubElement(module, "PARAMETERS")
    config = {**CLOCKS, **cell.config} if cell.name == "ps" else cell.config
    for name, value in config.items():
        ElementTree.SubElement(parameters, "PARAMETER", NAME=name, VALUE=str(value))
    return module


def _interfaces(module: ElementTree.Element, kinds: Mapping[str, str]) -> None:
    interfaces = ElementTree.SubElement(module, "BUSINTERFACES")
    for name, kind in kinds.items():
        ElementTree.SubElement(interfaces, "BUSINTERFACE", NAME=name, TYPE=kind, VLNV=AXI)
