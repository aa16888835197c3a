"""What is on the FPGA: an array, and how it is connected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.fpga.registers import Register, text_number, with_resets
from hwexplore.rtl.axi_stream import WIDTHS, stream_bits

__all__ = ["Overlay"]


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A systolic ``array`` behind AXI4-Lite and AXI4-Streams.

    ``memory_bits`` is the width of the port to memory that the DMA shares: results come in beats no wider than that.
    """

    array: SystolicArray
    memory_bits: int = 128

    def __post_init__(self) -> None:
        if self.memory_bits not in WIDTHS:
            raise InputError(f"memory_bits = {self.memory_bits} must be one of {', '.join(map(str, WIDTHS))}")
        if self.array.bus_bits > WIDTHS[-1]:
            raise InputError(f"bus_bits = {self.array.bus_bits} must be at most {WIDTHS[-1]}, the DMA's widest stream")
        _ = self.registers

    @property
    def words_bits(self) -> int:
        """Bits of a beat of operands: a word of the array and what fills it up."""
        return stream_bits(self.array.bus_bits)

    @property
    def row_bits(self) -> int:
        """Bits of a row of results."""
        return self.array.cols * self.array.result_bits

    @property
    def results_bits(self) -> int:
        """Bits of a beat of results."""
        return min(stream_bits(self.row_bits), self.memory_bits)

    @property
    def description(self) -> dict[str, int | str | None]:
        """What it is made from, as values of JSON."""
        array = self.array
        return {
            "pe": str(array.pe),
            **{name: getattr(array, name) for name in ("rows", "cols", "dataflow", "depth", "bus_bits")},
            "output": None if array.output is None else str(array.output),
            "memory_bits": self.memory_bits,
        }

    @cached_property
    def registers(self) -> tuple[Register, ...]:
        """Its registers, but for the hash of the build."""
        array = self.array
        output = "" if array.output is None else str(array.output)
        return with_resets(
            {
                **{name: getattr(array, name) for name in ("rows", "cols", "depth", "bus_bits")},
                **{name: getattr(self, name) for name in ("words_bits", "row_bits", "results_bits")},
                "dataflow": ["os", "ws"].index(array.dataflow),
                "pe": text_number(str(array.pe), "pe"),
                "output": text_number(output, "output"),
            }
        )
