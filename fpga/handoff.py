"""Hardware hand-offs, `.hwh`: what Vivado has to write of a block design, and where what it wrote differs.

Of the format, what `pynq` reads: modules with their parameters, nets, interfaces and address maps, in the terms of the
files that `pynqmetadata` is tested with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from xml.etree import ElementTree

from hwexplore.errors import InputError
from hwexplore.fpga.block_design import BlockDesign
from hwexplore.fpga.build import Build
from hwexplore.fpga.registers import Register, hwh

__all__ = ["differences", "prediction"]

MASTERS = {"ps/Data": "M_AXI_HPM0_FPD", "dma/Data_MM2S": "M_AXI_MM2S", "dma/Data_S2MM": "M_AXI_S2MM"}
"""Address space to the interface that it is seen through."""
SLAVES = {"ps/SAXIGP2": "S_AXI_HP0_FPD"}
"""Where a segment's bus is not called like the interface."""
CLOCK = "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"
IO_PLL_MHZ = 1500.0
"""Which the clocks are divided from, as the preset of the ZCU104 has it."""
DIVIDERS = range(1, 64)
OPEN = re.compile(r"PSU__(CRL_APB__PL\d_REF_CTRL__DIVISOR\d|FPGA_PL[1-3]_ENABLE)")
"""Parameters that pynq wants to read and Vivado is free to choose."""
CLOCK_TOLERANCE = 0.01
"""Relative: the clock comes from a divider of whole numbers."""
DMA_REGISTERS = tuple(
    Register(name=f"{side}_{name}", offset=base + offset, access=access, meaning=meaning)
    for side, base, address in (("MM2S", 0x00, "SA"), ("S2MM", 0x30, "DA"))
    for name, offset, access, meaning in (
        ("DMACR", 0x00, "setting", "control"),
        ("DMASR", 0x04, "setting", "status"),
        (address, 0x18, "setting", "address, lower 32 bits"),
        (f"{address}_MSB", 0x1C, "setting", "address, upper 32 bits"),
        ("LENGTH", 0x28, "setting", "bytes to transfer, which starts it"),
    )
)
"""Of the DMA in simple mode (PG021)."""


def prediction(made: Build, design: BlockDesign) -> str:
    """The hand-off of ``design`` around the core of ``made``.

    Versions are ``*``. The registers of the core are in it, which Vivado knows nothing of.
    """
    device, package, grade = _part(design.part)
    root = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION="*")
    system = {"ARCH": "zynquplus", "BOARD": design.board, "DEVICE": device, "PACKAGE": package, "SPEEDGRADE": grade}
    ElementTree.SubElement(root, "SYSTEMINFO", {"NAME": design.name, **system})
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(root, "MODULES")
    buses = {pin: pair[0].replace("/", "_") for pair in design.interfaces for pin in pair}
    nets = {
        pin: (driver, [other for other in (driver, *pins) if other != pin])
        for driver, pins in design.nets.items()
        for pin in (driver, *pins)
    }
    registers = {"core": made.registers, "dma": DMA_REGISTERS}
    [frequency] = [cell.config[CLOCK] for cell in design.cells if CLOCK in cell.config]
    for cell in design.cells:
        vlnv = cell.vlnv or f"xilinx.com:module_ref:{cell.module}:*"
        module = ElementTree.SubElement(
            modules, "MODULE", FULLNAME=f"/{cell.name}", INSTANCE=cell.name, MODTYPE=vlnv.split(":")[2], VLNV=vlnv
        )
        for segment in design.segments:
            owner, bus, block = segment.segment.split("/")
            if owner == cell.name and owner in registers:
                blocks = ElementTree.SubElement(module, "ADDRESSBLOCKS")
                description = {"ACCESS": "read-write", "INTERFACE": bus, "NAME": block, "USAGE": "register"}
                element = ElementTree.SubElement(blocks, "ADDRESSBLOCK", {"RANGE": str(segment.size), **description})
                element.append(hwh(registers[owner]))
        parameters = ElementTree.SubElement(module, "PARAMETERS")
        clocks = _clocks(float(frequency)) if CLOCK in cell.config else {}
        for name, value in {**cell.config, **clocks}.items():
            ElementTree.SubElement(parameters, "PARAMETER", NAME=name, VALUE=str(value))
        ports = ElementTree.SubElement(module, "PORTS")
        for pin, (driver, others) in nets.items():
            if pin.startswith(f"{cell.name}/"):
                attributes = {"DIR": "O" if pin == driver else "I", "NAME": pin.split("/")[1]}
                if "clk" in attributes["NAME"]:
                    attributes |= {"SIGIS": "clk", "CLKFREQUENCY": f"{1e6 * float(frequency):.0f}"}
                port = ElementTree.SubElement(ports, "PORT", {"SIGNAME": driver.replace("/", "_"), **attributes})
                connections = ElementTree.SubElement(port, "CONNECTIONS")
                for other in others if pin == driver else [driver]:
                    instance, name = other.split("/")
                    ElementTree.SubElement(connections, "CONNECTION", INSTANCE=instance, PORT=name)
        interfaces = ElementTree.SubElement(module, "BUSINTERFACES")
        for pin, bus in buses.items():
            if pin.startswith(f"{cell.name}/"):
                ElementTree.SubElement(interfaces, "BUSINTERFACE", BUSNAME=bus, NAME=pin.split("/")[1])
        memory = ElementTree.SubElement(module, "MEMORYMAP")
        for segment in design.segments:
            if segment.space.startswith(f"{cell.name}/"):
                instance, bus, block = segment.segment.split("/")
                ElementTree.SubElement(
                    memory,
                    "MEMRANGE",
                    ADDRESSBLOCK=block,
                    BASEVALUE=f"0x{segment.base:08X}",
                    HIGHVALUE=f"0x{segment.base + segment.size - 1:08X}",
                    INSTANCE=instance,
                    MASTERBUSINTERFACE=MASTERS[segment.space],
                    MEMTYPE="MEMORY" if instance == "ps" else "REGISTER",
                    SLAVEBUSINTERFACE=SLAVES.get(f"{instance}/{bus}", bus),
                )
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def differences(predicted: str, found: str) -> list[str]:
    """What is not as predicted in a hand-off, one sentence each; InputError if one of them is no hand-off.

    Modules, parameters and nets that the prediction does not have are none.
    """
    expected, real = _read(predicted, "prediction"), _read(found, "hand-off")
    return [*_system(expected, real), *_modules(expected, real)]


@dataclass(frozen=True, kw_only=True)
class _Handoff:
    system: Mapping[str, str]
    vlnv: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, str]]
    clocks: Mapping[str, float]
    nets: Mapping[str, frozenset[str]]
    buses: Mapping[str, frozenset[str]]
    ranges: Mapping[str, tuple[int, int]]


def _clocks(mhz: float) -> dict[str, int]:
    """The dividers of the one clock in use, and the others switched off."""
    second, first = min(product(DIVIDERS, repeat=2), key=lambda pair: abs(IO_PLL_MHZ / (pair[0] * pair[1]) - mhz))
    made = {f"PSU__FPGA_PL{number}_ENABLE": 0 for number in (1, 2, 3)}
    for number in range(4):
        dividers = (first, second) if number == 0 else (1, 1)
        for which, value in enumerate(dividers):
            made[f"PSU__CRL_APB__PL{number}_REF_CTRL__DIVISOR{which}"] = value
    return made


def _part(part: str) -> tuple[str, str, str]:
    device, package, *grade = part.split("-")
    return device, package, f"-{grade[0]}"


def _read(text: str, what: str) -> _Handoff:
    try:
        root = ElementTree.fromstring(text)
        system, modules = root.find("SYSTEMINFO"), root.find("MODULES")
        if system is None or modules is None:
            raise InputError(f"the {what} has no SYSTEMINFO or no MODULES; it must be a .hwh file of Vivado")
        return _handoff(dict(system.attrib), {one.attrib["FULLNAME"].lstrip("/"): one for one in modules})
    except ElementTree.ParseError as error:
        raise InputError(f"the {what} is no XML: {error}; it must be a .hwh file of Vivado") from None
    except KeyError as error:
        raise InputError(f"the {what} has an element without {error}; it must be a .hwh file of Vivado") from None


def _handoff(system: Mapping[str, str], modules: Mapping[str, ElementTree.Element]) -> _Handoff:
    nets: defaultdict[str, set[str]] = defaultdict(set)
    buses: defaultdict[str, set[str]] = defaultdict(set)
    clocks: dict[str, float] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for name, module in modules.items():
        for port in module.iterfind("PORTS/PORT"):
            pin = f"{name}/{port.attrib['NAME']}"
            if signal := port.get("SIGNAME"):
                nets[signal].add(pin)
            if frequency := port.get("CLKFREQUENCY"):
                clocks[pin] = _number(frequency)
        for bus in module.iterfind("BUSINTERFACES/BUSINTERFACE"):
            buses[bus.attrib["BUSNAME"]].add(f"{name}/{bus.attrib['NAME']}")
        for one in module.iterfind("MEMORYMAP/MEMRANGE"):
            path = f"{one.attrib['INSTANCE']}/{one.attrib['SLAVEBUSINTERFACE']}/{one.attrib['ADDRESSBLOCK']}"
            low, high = (int(_number(one.attrib[key])) for key in ("BASEVALUE", "HIGHVALUE"))
            ranges[f"{path} seen through {name}/{one.attrib['MASTERBUSINTERFACE']}"] = (low, high)
    return _Handoff(
        system=system,
        vlnv={name: module.attrib["VLNV"] for name, module in modules.items()},
        parameters={
            name: {one.attrib["NAME"]: one.attrib["VALUE"] for one in module.iterfind("PARAMETERS/PARAMETER")}
            for name, module in modules.items()
        },
        clocks=clocks,
        nets={pin: frozenset(pins) for pins in nets.values() for pin in pins},
        buses={pin: frozenset(pins) for pins in buses.values() for pin in pins},
        ranges=ranges,
    )


def _number(text: str) -> float:
    try:
        return int(text, 0) if text.lower().startswith("0x") else float(text)
    except ValueError:
        raise InputError(f"the hand-off has {text!r} where a number must be") from None


def _same(expected: str, found: str) -> bool:
    try:
        return float(expected) == float(found)
    except ValueError:
        return expected == found


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


def _system(expected: _Handoff, real: _Handoff) -> Iterator[str]:
    for name, value in expected.system.items():
        found = real.system.get(name, "")
        if not _fits(value, found):
            yield f"{name} is {found!r} and should be {value!r}."


def _modules(expected: _Handoff, real: _Handoff) -> Iterator[str]:
    there = {name for name in expected.vlnv if name in real.vlnv}
    for name, vlnv in expected.vlnv.items():
        if name not in there:
            yield f"{name} ({vlnv}) is missing."
        elif not _fits(vlnv, real.vlnv[name]):
            yield f"{name} is a {real.vlnv[name]} and should be a {vlnv}."
    for name in expected.vlnv:
        if name in there:
            compared = {key: value for key, value in expected.parameters[name].items() if not OPEN.fullmatch(key)}
            for parameter, value in compared.items():
                found = real.parameters[name].get(parameter)
                if found is None:
                    yield f"{name} has no parameter {parameter}, which should be {value}."
                elif not _same(value, found):
                    yield f"{parameter} of {name} is {found} and should be {value}."
    for kind, ours, theirs in (("", expected.nets, real.nets), ("interface ", expected.buses, real.buses)):
        for pin, pins in ours.items():
            missing = sorted(one for one in pins - theirs.get(pin, frozenset()) if one != pin and _of(one) in there)
            if missing and _of(pin) in there and pin == min(pins):
                yield f"{kind}{pin} is not connected to {', '.join(missing)}."
    for pin, hertz in expected.clocks.items():
        found_hertz = real.clocks.get(pin)
        if _of(pin) in there and found_hertz is None:
            yield f"{pin} has no clock, and should have one of {hertz / 1e6:g} MHz."
        elif found_hertz is not None and abs(found_hertz - hertz) > CLOCK_TOLERANCE * hertz:
            yield f"the clock of {pin} is {found_hertz / 1e6:g} MHz and should be {hertz / 1e6:g} MHz."
    for path, (low, high) in expected.ranges.items():
        if path not in real.ranges:
            yield f"{path} has no address, and should have 0x{low:X} to 0x{high:X}."
        elif real.ranges[path] != (low, high):
            found_low, found_high = real.ranges[path]
            yield f"{path} is at 0x{found_low:X} to 0x{found_high:X} and should be at 0x{low:X} to 0x{high:X}."


def _of(pin: str) -> str:
    return pin.rsplit("/", 1)[0]
