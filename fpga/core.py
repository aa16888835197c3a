"""The core that a block design places: registers and array behind AXI, told to Vivado by attributes of its ports."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.register_file import RegisterFile
from hwexplore.fpga.registers import ADDRESS_BITS
from hwexplore.rtl.axi_gemm import COUNTER_BITS, ERRORS, AxiGemm
from hwexplore.rtl.axi_lite import lite_ports
from hwexplore.rtl.axi_stream import stream_ports

__all__ = ["BUILD_MODULE", "Core", "ports"]

BUILD_MODULE = "hwexplore_build"
"""The Verilog module whose output ``hash`` (64) is the hash of the build, which cannot be in what it is a hash of."""
KINDS = {"s_axi": "aximm", "s_axis": "axis", "m_axis": "axis"}


def ports(overlay: Overlay) -> dict[str, wiring.Member]:
    """The ports of an overlay's core."""
    return {
        "aclk": In(1),
        "aresetn": In(1),
        **{f"{bus}_{name}": port for bus, its in _interfaces(overlay).items() for name, port in its.items()},
        "irq": Out(1),
    }


def _interfaces(overlay: Overlay) -> dict[str, dict[str, wiring.Member]]:
    return {
        "s_axi": lite_ports(ADDRESS_BITS),
        "s_axis": stream_ports(overlay.words_bits),
        "m_axis": {name: member.flip() for name, member in stream_ports(overlay.results_bits).items()},
    }


class Core(wiring.Component):
    """An overlay's array with its registers.

    Ports
    -----
    aclk, aresetn : In(1)
        Rising edge; synchronous reset, active low.
    s_axi_... : `lite_ports`
    s_axis_..., m_axis_... : `stream_ports`
    irq : Out(1)
        High as long as it wants to be seen to.
    """

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = overlay
        self.interfaces = _interfaces(overlay)
        super().__init__(ports(overlay))
        self._tell_vivado()

    def _tell_vivado(self) -> None:
        """Attributes for the inference of interfaces (UG994).

        There is no FREQ_HZ: the clock that is connected says it.
        """
        for bus, its in self.interfaces.items():
            for name in its:
                info = f"xilinx.com:interface:{KINDS[bus]}:1.0 {bus} {name.upper()}"
                self._port(f"{bus}_{name}").attrs["X_INTERFACE_INFO"] = info
        for name, kind, pin in (
            ("aclk", "clock", "CLK"),
            ("aresetn", "reset", "RST"),
            ("irq", "interrupt", "INTERRUPT"),
        ):
            self._port(name).attrs["X_INTERFACE_INFO"] = f"xilinx.com:signal:{kind}:1.0 {name} {pin}"
        for port, name, mode, parameters in (
            ("aclk", "aclk", "slave", f"ASSOCIATED_BUSIF {':'.join(self.interfaces)}, ASSOCIATED_RESET aresetn"),
            ("aresetn", "aresetn", "slave", "POLARITY ACTIVE_LOW"),
            ("irq", "irq", "master", "SENSITIVITY LEVEL_HIGH"),
            ("s_axi_awaddr", "s_axi", "slave", f"PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH {ADDRESS_BITS}"),
            ("s_axis_tdata", "s_axis", "slave", self._stream_parameters(self.overlay.words_bits)),
            ("m_axis_tdata", "m_axis", "master", self._stream_parameters(self.overlay.results_bits)),
        ):
            attributes = self._port(port).attrs
            attributes["X_INTERFACE_MODE"] = mode
            attributes["X_INTERFACE_PARAMETER"] = f"XIL_INTERFACENAME {name}, {parameters}"

    @staticmethod
    def _stream_parameters(bits: int) -> str:
        return f"TDATA_NUM_BYTES {bits // 8}, HAS_TKEEP 1, HAS_TLAST 1, HAS_TREADY 1"

    def _port(self, name: str) -> Signal:
        port = getattr(self, name)
        assert isinstance(port, Signal)
        return port

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.domains.product = ClockDomain(local=True)
        """Reset by the driver too."""
        m.submodules.registers = registers = RegisterFile(self.overlay.registers)
        shell = AxiGemm(self.overlay.array, self.overlay.words_bits, self.overlay.results_bits)
        m.submodules.shell = DomainRenamer("product")(shell)
        m.submodules.build = Instance(BUILD_MODULE, o_hash=registers.build)
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ClockSignal("product").eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            ResetSignal("product").eq(~self.aresetn | registers.control_reset),
            *(getattr(shell, name).eq(getattr(registers, name)) for name in "mnk"),
            shell.start.eq(registers.control_start),
            *(getattr(registers, f"status_{name}").eq(getattr(shell, name)) for name in ("busy", "done", *ERRORS)),
            *(getattr(registers, name).eq(getattr(shell, name)) for name in COUNTER_BITS),
            self.irq.eq(shell.done & registers.interrupt_on_done),
        ]
        for bus, its in self.interfaces.items():
            for name, member in its.items():
                outer = getattr(self, f"{bus}_{name}")
                inner = getattr(registers, name) if bus == "s_axi" else getattr(shell, f"{bus}_{name}")
                m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
        return m
