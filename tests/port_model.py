"""A model of what Vivado's IP Integrator refuses, and of the hand-off that it writes, for the few IPs in use.

It holds a script to the pins, parameters and address segments that the product guides give: PG021 (AXI DMA 7.1), PG164
(Processor System Reset), PG201 (Zynq UltraScale+ PS), PG247 (SmartConnect), and UG835 for the commands. It shares
nothing with the block design that the script is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from xml.etree import ElementTree

__all__ = ["ModelError", "Vivado"]

WIDTHS = ("32", "64", "128", "256", "512", "1024")
BURSTS = ("2", "4", "8", "16", "32", "64", "128", "256")
FLAG = ("0", "1")


class ModelError(Exception):
    """What Vivado would have refused."""


@dataclass
class Cell:
    ip: str
    vlnv: str
    config: dict[str, str]
    pins: Callable[[dict[str, str]], dict[str, str]]
    interfaces: Callable[[dict[str, str]], dict[str, tuple[str, str]]]
    allowed: dict[str, tuple[str, ...] | range]
    preset: bool = False
    spaces: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


def dma_pins(config: dict[str, str]) -> dict[str, str]:
    pins = {"s_axi_lite_aclk": "clk<", "axi_resetn": "rst<"}
    for side in ("mm2s", "s2mm"):
        if config[f"c_include_{side}"] == "1":
            pins |= {f"m_axi_{side}_aclk": "clk<", f"{side}_introut": "irq>"}
    if config["c_include_sg"] == "1":
        pins["m_axi_sg_aclk"] = "clk<"
    return pins


def dma_interfaces(config: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Interface to its direction and kind."""
    found = {"S_AXI_LITE": ("<", "lite")}
    if config["c_include_mm2s"] == "1":
        found |= {"M_AXI_MM2S": (">", "axi"), "M_AXIS_MM2S": (">", f"axis{config['c_m_axis_mm2s_tdata_width']}")}
    if config["c_include_s2mm"] == "1":
        found |= {"M_AXI_S2MM": (">", "axi"), "S_AXIS_S2MM": ("<", f"axis{config['c_s_axis_s2mm_tdata_width']}")}
    if config["c_include_sg"] == "1":
        found["M_AXI_SG"] = (">", "axi")
        if config["c_sg_include_stscntrl_strm"] == "1":
            found |= {"M_AXIS_CNTRL": (">", "axis32"), "S_AXIS_STS": ("<", "axis32")}
    return found


PORTS = {
    "M_AXI_GP0": "maxihpm0_fpd",
    "M_AXI_GP1": "maxihpm1_fpd",
    "M_AXI_GP2": "maxihpm0_lpd",
    "S_AXI_GP2": "saxihp0_fpd",
}


def ps_pins(config: dict[str, str]) -> dict[str, str]:
    pins = {f"{port}_aclk": "clk<" for use, port in PORTS.items() if config[f"PSU__USE__{use}"] == "1"}
    if config["PSU__USE__IRQ0"] == "1":
        pins["pl_ps_irq0"] = "irqs<"
    if config["PSU__FPGA_PL0_ENABLE"] == "1":
        pins |= {"pl_clk0": "clk>", "pl_resetn0": "rst>"}
    return pins


def ps_interfaces(config: dict[str, str]) -> dict[str, tuple[str, str]]:
    names = {
        "M_AXI_GP0": ("M_AXI_HPM0_FPD", ">"),
        "M_AXI_GP1": ("M_AXI_HPM1_FPD", ">"),
        "M_AXI_GP2": ("M_AXI_HPM0_LPD", ">"),
        "S_AXI_GP2": ("S_AXI_HP0_FPD", "<"),
    }
    return {name: (way, "axi") for use, (name, way) in names.items() if config[f"PSU__USE__{use}"] == "1"}


def connect_pins(config: dict[str, str]) -> dict[str, str]:
    return {"aclk": "clk<", "aresetn": "rst<"}


def connect_interfaces(config: dict[str, str]) -> dict[str, tuple[str, str]]:
    masters = {f"M{number:02}_AXI": (">", "any") for number in range(int(config["NUM_MI"]))}
    return masters | {f"S{number:02}_AXI": ("<", "any") for number in range(int(config["NUM_SI"]))}


IPS = {
    "axi_dma": (
        {
            "c_include_sg": ("1", FLAG),
            "c_sg_include_stscntrl_strm": ("1", FLAG),
            "c_sg_length_width": ("14", range(8, 27)),
            "c_addr_width": ("32", range(32, 65)),
            "c_include_mm2s": ("1", FLAG),
            "c_include_mm2s_dre": ("0", FLAG),
            "c_m_axi_mm2s_data_width": ("32", WIDTHS),
            "c_m_axis_mm2s_tdata_width": ("32", ("8", "16", *WIDTHS)),
            "c_mm2s_burst_size": ("16", BURSTS),
            "c_include_s2mm": ("1", FLAG),
            "c_include_s2mm_dre": ("0", FLAG),
            "c_m_axi_s2mm_data_width": ("32", WIDTHS),
            "c_s_axis_s2mm_tdata_width": ("32", ("8", "16", *WIDTHS)),
            "c_s2mm_burst_size": ("16", BURSTS),
        },
        dma_pins,
        dma_interfaces,
        ("Data_MM2S", "Data_S2MM"),
        ("S_AXI_LITE/Reg",),
    ),
    "zynq_ultra_ps_e": (
        {
            "PSU__USE__M_AXI_GP0": ("1", FLAG),
            "PSU__USE__M_AXI_GP1": ("1", FLAG),
            "PSU__USE__M_AXI_GP2": ("0", FLAG),
            "PSU__USE__S_AXI_GP2": ("0", FLAG),
            "PSU__SAXIGP2__DATA_WIDTH": ("128", ("32", "64", "128")),
            "PSU__USE__IRQ0": ("1", FLAG),
            "PSU__FPGA_PL0_ENABLE": ("1", FLAG),
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": ("100", range(1, 501)),
        },
        ps_pins,
        ps_interfaces,
        ("Data",),
        ("SAXIGP2/HP0_DDR_LOW", "SAXIGP2/HP0_LPS_OCM", "SAXIGP2/HP0_QSPI"),
    ),
    "proc_sys_reset": (
        {},
        lambda _: {
            "slowest_sync_clk": "clk<",
            "ext_reset_in": "rst<",
            "peripheral_aresetn": "rst>",
            "interconnect_aresetn": "rst>",
        },
        lambda _: {},
        (),
        (),
    ),
    "smartconnect": (
        {"NUM_SI": ("1", range(1, 17)), "NUM_MI": ("1", range(1, 17))},
        connect_pins,
        connect_interfaces,
        (),
        (),
    ),
    "xlconcat": (
        {"NUM_PORTS": ("2", range(1, 129))},
        lambda config: {"dout": "irqs>"} | {f"In{number}": "irq<" for number in range(int(config["NUM_PORTS"]))},
        lambda _: {},
        (),
        (),
    ),
}
SIZES = {"S_AXI_LITE/Reg": 1 << 16, "s_axi/reg0": 1 << 12, "SAXIGP2/HP0_DDR_LOW": 1 << 31}
WINDOW = range(0xA000_0000, 0xB000_0000)
"""What the PS sees through HPM0 in its lower 4 GiB (UG1085)."""


@dataclass
class Vivado:
    """The state of a run; each method is a command of UG835.

    ``core`` gives the pins and interfaces of the module of ours.
    """

    core_pins: dict[str, str]
    core_interfaces: dict[str, tuple[str, str]]
    core: str
    cells: dict[str, Cell] = field(default_factory=dict)
    nets: dict[str, str] = field(default_factory=dict)
    buses: dict[str, str] = field(default_factory=dict)
    assigned: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    excluded: set[tuple[str, str]] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    project: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def run(self, commands: list[list[str]]) -> None:
        for name, *arguments in commands:
            getattr(self, name, self.nothing)(arguments)
            self.done.append(name)

    def nothing(self, arguments: list[str]) -> None:
        pass

    def need(self, *commands: str) -> None:
        for command in commands:
            if command not in self.done:
                raise ModelError(f"{command} has to come before")

    def create_project(self, arguments: list[str]) -> None:
        if "-force" not in arguments:
            raise ModelError("a second run finds the project of the first")
        self.project = {"name": arguments[-2], "part": arguments[arguments.index("-part") + 1]}

    def add_files(self, arguments: list[str]) -> None:
        self.need("create_project")
        self.files.append(arguments[-1])

    def create_bd_design(self, arguments: list[str]) -> None:
        if "board_part" not in self.properties:
            raise ModelError("no board to take the preset from")
        self.project["design"] = arguments[-1]

    def create_bd_cell(self, arguments: list[str]) -> None:
        self.need("create_bd_design")
        name = arguments[-1]
        if arguments[:2] == ["-type", "module"]:
            if "update_compile_order" not in self.done or not any(one.endswith(f"{self.core}.v") for one in self.files):
                raise ModelError(f"no module {self.core} is in the project")
            if arguments[2:4] != ["-reference", self.core]:
                raise ModelError(f"unknown module {arguments[3]}")
            vlnv = f"xilinx.com:module_ref:{self.core}:1.0"
            cell = Cell(self.core, vlnv, {}, lambda _: self.core_pins, lambda _: self.core_interfaces, {})
            cell.segments = ("s_axi/reg0",)
        else:
            if arguments[:3:2] != ["-type", "-vlnv"] or arguments[1] != "ip":
                raise ModelError(f"bad options {arguments}")
            ip = arguments[3].split(":")[2]
            parameters, pins, interfaces, spaces, segments = IPS[ip]
            config = {key: default for key, (default, _) in parameters.items()}
            allowed = {key: values for key, (_, values) in parameters.items()}
            cell = Cell(ip, arguments[3], config, pins, interfaces, allowed, spaces=spaces, segments=segments)
        if name in self.cells:
            raise ModelError(f"a cell {name} is there already")
        self.cells[name] = cell

    def apply_bd_automation(self, arguments: list[str]) -> None:
        if (
            arguments[:2] != ["-rule", "xilinx.com:bd_rule:zynq_ultra_ps_e"]
            or self.cells[arguments[-1]].ip != "zynq_ultra_ps_e"
        ):
            raise ModelError(f"no such rule for {arguments[-1]}")
        if arguments[2:4] != ["-config", "apply_board_preset 1"]:
            raise ModelError(f"unknown configuration {arguments[3]}")
        self.cells[arguments[-1]].preset = True

    def set_property(self, arguments: list[str]) -> None:
        if arguments[0] != "-dict":
            self.properties[arguments[0]] = arguments[1]
            return
        cell = self.cells[arguments[2]]
        words = [word.strip("{}") for word in arguments[1].split()]
        if len(words) % 2:
            raise ModelError("a property without a value")
        for name, value in zip(words[::2], words[1::2], strict=True):
            key = name.removeprefix("CONFIG.")
            if key == name or key not in cell.allowed:
                raise ModelError(f"{cell.ip} has no property {name}")
            allowed = cell.allowed[key]
            number = float(value)
            if (
                (number < allowed.start or number >= allowed.stop)
                if isinstance(allowed, range)
                else value not in allowed
            ):
                raise ModelError(f"{key} cannot be {value}")
            cell.config[key] = value

    def get_bd_cells(self, arguments: list[str]) -> None:
        if arguments[-1] not in self.cells:
            raise ModelError(f"no cell {arguments[-1]}")

    def _pin(self, path: str) -> str:
        cell, _, pin = path.partition("/")
        if cell not in self.cells or pin not in (pins := self.cells[cell].pins(self.cells[cell].config)):
            raise ModelError(f"no pin {path}")
        return pins[pin]

    def _interface(self, path: str) -> tuple[str, str]:
        cell, _, pin = path.partition("/")
        if cell not in self.cells or pin not in (its := self.cells[cell].interfaces(self.cells[cell].config)):
            raise ModelError(f"no interface {path}")
        return its[pin]

    def connect_bd_net(self, arguments: list[str]) -> None:
        driver, pin = arguments
        if driver == pin or not self._pin(driver).endswith(">") or not self._pin(pin).endswith("<"):
            raise ModelError(f"{driver} cannot drive {pin}")
        if self._pin(driver)[:-1] != self._pin(pin)[:-1]:
            raise ModelError(f"{driver} and {pin} are of two kinds")
        if pin in self.nets:
            raise ModelError(f"{pin} is driven already")
        self.nets[pin] = driver

    def connect_bd_intf_net(self, arguments: list[str]) -> None:
        master, slave = arguments
        (out, kind), (into, other) = self._interface(master), self._interface(slave)
        if (out, into) != (">", "<"):
            raise ModelError(f"{master} cannot be the master of {slave}")
        if kind != other and ("any" not in (kind, other) or "axis" in kind + other):
            raise ModelError(f"{master} is {kind} and {slave} is {other}")
        if {master, slave} & set(self.buses):
            raise ModelError(f"{master} or {slave} is connected already")
        self.buses[master], self.buses[slave] = slave, master

    def _segment(self, path: str) -> int:
        cell, _, segment = path.partition("/")
        if cell not in self.cells or segment not in self.cells[cell].segments:
            raise ModelError(f"no segment {path}")
        return SIZES.get(segment, 0)

    def _space(self, path: str) -> str:
        cell, _, space = path.partition("/")
        if cell not in self.cells or space not in self.cells[cell].spaces:
            raise ModelError(f"no address space {path}")
        return path

    def assign_bd_address(self, arguments: list[str]) -> None:
        self.need("connect_bd_intf_net")
        if arguments[::2][:3] != ["-offset", "-range", "-target_address_space"] or len(arguments) != 7:
            raise ModelError(f"bad options {arguments}")
        base, size = int(arguments[1], 16), int(arguments[3], 16)
        least, space = self._segment(arguments[6]), self._space(arguments[5])
        if size & (size - 1) or size < 4096 or base % size or size != least:
            raise ModelError(f"{arguments[6]} cannot have {size} bytes at {base:#x}")
        if space == "ps/Data" and not (base in WINDOW and base + size <= WINDOW.stop):
            raise ModelError(f"{base:#x} is not seen through HPM0")
        self.assigned[space, arguments[6]] = (base, size)

    def exclude_bd_addr_seg(self, arguments: list[str]) -> None:
        if arguments[0] != "-target_address_space" or self._segment(arguments[2]):
            raise ModelError(f"bad options {arguments}")
        self.excluded.add((self._space(arguments[1]), arguments[2]))

    def validate_bd_design(self, arguments: list[str]) -> None:
        """Every input driven, every interface connected, every segment in reach assigned or excluded."""
        for name, cell in self.cells.items():
            for pin, kind in cell.pins(cell.config).items():
                if kind.endswith("<") and f"{name}/{pin}" not in self.nets:
                    raise ModelError(f"{name}/{pin} is not driven")
            for pin in cell.interfaces(cell.config):
                if f"{name}/{pin}" not in self.buses:
                    raise ModelError(f"{name}/{pin} is not connected")
            if cell.ip == "zynq_ultra_ps_e" and not cell.preset:
                raise ModelError("the memory of the board is not set up")
            if cell.ip == "axi_dma":
                for memory, stream in (
                    ("m_axi_mm2s_data", "m_axis_mm2s_tdata"),
                    ("m_axi_s2mm_data", "s_axis_s2mm_tdata"),
                ):
                    if int(cell.config[f"c_{memory}_width"]) < int(cell.config[f"c_{stream}_width"]):
                        raise ModelError(f"{memory} is narrower than {stream}")
        reach = {("ps/Data", "core/s_axi/reg0"), ("ps/Data", "dma/S_AXI_LITE/Reg")}
        reach |= {
            (f"dma/Data_{side}", f"ps/{segment}") for side in ("MM2S", "S2MM") for segment in IPS["zynq_ultra_ps_e"][4]
        }
        if reach != set(self.assigned) | self.excluded:
            raise ModelError(f"assigned and excluded differ by {sorted(reach ^ (set(self.assigned) | self.excluded))}")
        for (one, its), (other, theirs) in combinations(self.assigned.items(), 2):
            if one[0] == other[0] and its[0] < sum(theirs) and theirs[0] < sum(its):
                raise ModelError(f"{one[1]} and {other[1]} overlap")

    def save_bd_design(self, arguments: list[str]) -> None:
        self.need("validate_bd_design")

    def get_files(self, arguments: list[str]) -> None:
        self.need("save_bd_design")
        if arguments[-1] != f"{self.project['design']}.bd":
            raise ModelError(f"no file {arguments[-1]}")

    def make_wrapper(self, arguments: list[str]) -> None:
        if arguments != ["-files", f"{self.project['design']}.bd", "-top"]:
            raise ModelError(f"bad options {arguments}")

    def launch_runs(self, arguments: list[str]) -> None:
        if f"wrapper_of {self.project['design']}.bd" not in self.files:
            raise ModelError("the wrapper is not in the project")
        if self.properties.get("top") != f"{self.project['design']}_wrapper":
            raise ModelError("the wrapper is not the top")
        if self.done[::-1].index("update_compile_order") > self.done[::-1].index("add_files"):
            raise ModelError("the order of the files is out of date")
        if arguments[:3] != ["impl_1", "-to_step", "write_bitstream"] or arguments[3::2] != ["-jobs"]:
            raise ModelError(f"bad options {arguments}")

    def wait_on_run(self, arguments: list[str]) -> None:
        self.need("launch_runs")
        if arguments != ["impl_1"]:
            raise ModelError("no such run")

    def get_runs(self, arguments: list[str]) -> None:
        self.need("wait_on_run")
        if arguments != ["impl_1"]:
            raise ModelError("no such run")

    def handoff(self) -> str:
        """The `.hwh` of the design, in the shape of those that Vivado writes."""
        root = ElementTree.Element("EDKSYSTEM", VIVADOVERSION="2024.1")
        device, package, grade, _ = self.project["part"].split("-")
        board = self.properties["board_part"]
        system = {"BOARD": board, "DEVICE": device, "PACKAGE": package, "SPEEDGRADE": f"-{grade}"}
        ElementTree.SubElement(root, "SYSTEMINFO", ARCH="zynquplus", NAME=self.project["design"], **system)
        ElementTree.SubElement(root, "EXTERNALPORTS")
        modules = ElementTree.SubElement(root, "MODULES")
        clock = float(self.cells["ps"].config["PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"]) * 999_999.85
        for name, cell in self.cells.items():
            module = ElementTree.SubElement(
                modules, "MODULE", FULLNAME=f"/{name}", INSTANCE=name, MODTYPE=cell.ip, VLNV=cell.vlnv
            )
            parameters = ElementTree.SubElement(module, "PARAMETERS")
            for key, value in cell.config.items():
                ElementTree.SubElement(parameters, "PARAMETER", NAME=key, VALUE=value)
            ports = ElementTree.SubElement(module, "PORTS")
            for pin, kind in cell.pins(cell.config).items():
                port = ElementTree.SubElement(ports, "PORT", NAME=pin, DIR="O" if kind.endswith(">") else "I")
                driver = self.nets.get(f"{name}/{pin}", f"{name}/{pin}")
                port.set("SIGNAME", driver.replace("/", "_"))
                if kind.startswith("clk"):
                    port.set("CLKFREQUENCY", f"{clock:.0f}")
            interfaces = ElementTree.SubElement(module, "BUSINTERFACES")
            for pin, (way, _) in cell.interfaces(cell.config).items():
                path = f"{name}/{pin}"
                bus = (path if way == ">" else self.buses[path]).replace("/", "_")
                ElementTree.SubElement(interfaces, "BUSINTERFACE", NAME=pin, BUSNAME=bus)
            memory = ElementTree.SubElement(module, "MEMORYMAP")
            for (space, segment), (base, size) in self.assigned.items():
                if space.startswith(f"{name}/"):
                    instance, bus, block = segment.split("/")
                    ElementTree.SubElement(
                        memory,
                        "MEMRANGE",
                        INSTANCE=instance,
                        ADDRESSBLOCK=block,
                        BASEVALUE=f"0x{base:08X}",
                        HIGHVALUE=f"0x{base + size - 1:08X}",
                        MASTERBUSINTERFACE="M_AXI_HPM0_FPD" if name == "ps" else space.replace("dma/Data", "M_AXI"),
                        SLAVEBUSINTERFACE="S_AXI_HP0_FPD" if instance == "ps" else bus,
                        MEMTYPE="MEMORY" if instance == "ps" else "REGISTER",
                    )
        return ElementTree.tostring(root, "unicode")
