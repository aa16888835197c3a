"""Products on a core: arrays in, arrays out, through its registers and its DMA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator import streams
from hwexplore.accelerator.geometry import Geometry
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.fpga.accessors import Accessors
from hwexplore.fpga.driver.mac import BoardMac
from hwexplore.fpga.packets import operand_packet, result_bytes, result_rows
from hwexplore.pe.codes import Codes
from hwexplore.pe.vector_unit import Requantizer, Rescaler

if TYPE_CHECKING:
    from hwexplore.pe.base import PE

__all__ = ["BoardShell", "DriverError", "Gemm"]

DMA_CONTROL, DMA_RESET = 0x00, 0x04
"""MM2S_DMACR and its Reset bit, which resets both channels (PG021)."""


class DriverError(RuntimeError):
    """What went wrong on the board, and what to do, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class BoardShell:
    """`hwexplore.fpga.overlay.Overlay` as the board needs it."""

    array: Geometry
    pe: BoardMac
    words_bits: int
    row_bits: int
    results_bits: int

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> BoardShell:
        """From `hwexplore.fpga.build.Build.table`."""
        described = dict(table["overlay"])
        resets = {register["name"]: register["reset"] for register in table["registers"]}
        pe, output = BoardMac.parse(described["pe"]), described["output"]
        array = Geometry(
            pe=cast("PE", pe),
            output=None if output is None else Format.parse(output),
            **{name: described[name] for name in ("rows", "cols", "dataflow", "depth", "bus_bits")},
        )
        widths = {name: resets[name] for name in ("words_bits", "row_bits", "results_bits")}
        return cls(array=array, pe=pe, **widths)


class Gemm:
    """A core and its DMA, ready for products.

    ``table`` is `hwexplore.fpga.build.Build.table`; ``registers`` are those of the core, ``dma`` is pynq's ``DMA``,
    and ``allocate`` gives a buffer of so many bytes that both can see. No wait takes longer than ``timeout_s``.
    InputError if the core is not that of the table.
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        registers: Accessors,
        dma: Any,
        allocate: Callable[[int], Any],
        timeout_s: float = 10.0,
    ) -> None:
        self.shell = BoardShell.of(table)
        self.registers, self.dma, self.timeout_s = registers, dma, timeout_s
        self._allocate = allocate
        registers.check()

    def __call__(
        self,
        activations: ArrayLike,
        weights: ArrayLike,
        *,
        output_scale: float | None = None,
        bias: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """About ``activations @ weights.T + bias`` [m, n] of numbers [m, k], [n, k] and [n].

        Activations are scaled to their format as a whole, weights row by row. A core with an output format gives
        multiples of ``output_scale``, which it needs; without one, the bias is added here.
        """
        array, pe = self.shell.array, self.shell.pe
        a, w = np.asarray(activations, float), np.asarray(weights, float)
        a_scale, w_scale = _scale(a, pe.activation, None), _scale(w, pe.weight, 1)
        offset = np.zeros(len(w)) if bias is None else np.asarray(bias, float)
        scale = a_scale * w_scale
        codes = pe.weight.encode(w / w_scale), pe.activation.encode(a / a_scale)
        if array.output is None:
            return np.asarray(pe.decode(self.multiply(*codes)) * scale.T + offset)
        if output_scale is None:
            raise InputError(f"output_scale is missing: this core gives results in {array.output}, as multiples of it")
        of_sums = scale.ravel() * pe.unit / output_scale
        unit = array.vector_unit
        if isinstance(unit, Requantizer):
            steps = np.rint(offset / (scale.ravel() * pe.unit)).astype(np.int64)
            parameters = unit.parameters(of_sums, bias=steps)
        else:
            assert isinstance(unit, Rescaler)
            parameters = unit.parameters(of_sums, bias=offset / output_scale)
        return np.asarray(array.output.decode(self.multiply(*codes, parameters)) * output_scale)

    def multiply(self, weights: Codes, activations: Codes, parameters: Mapping[str, Codes] | None = None) -> Codes:
        """Codes [m, n] of the product of codes [n, k] and [m, k]; ``parameters`` as for `streams.words`.

        DriverError if the core or the DMA does not do its work; both are reset then, and ready for the next product.
        """
        shell, (m, k), n = self.shell, activations.shape, len(weights)
        shell.pe.accumulator.check(k)
        packet = operand_packet(shell, streams.words(shell.array, weights, activations, parameters))
        expected = result_bytes(shell, m, n)
        for what, size in (("operands", packet.size), ("results", expected)):
            if size > self.dma.buffer_max_size:
                most = self.dma.buffer_max_size
                raise InputError(f"{what} of {m} x {n} x {k} take {size} bytes; the DMA moves at most {most} at once")
        with self._allocate(packet.size) as sent, self._allocate(expected) as received:
            sent[:] = packet
            for name, size in zip("mnk", shell.array.sizes(m, n, k), strict=True):
                self.registers.set(name, size)
            self.dma.recvchannel.transfer(received)
            self.registers.pulse("control", "start")
            self.dma.sendchannel.transfer(sent)
            for name, channel in (("operands", self.dma.sendchannel), ("results", self.dma.recvchannel)):
                self._finish(name, channel)
            rows = result_rows(shell, np.array(received, np.uint8))
        self._until(lambda: self.registers.fields("status")["done"], "the core did not say that it is done")
        problems = [name for name, on in self.registers.fields("status").items() if on and name.endswith("error")]
        if problems:
            self.reset()
            raise DriverError(f"the core reports {', '.join(problems)}; load the bitstream of this build anew")
        return streams.results(shell.array, rows, m, n)

    def reset(self) -> None:
        """Have the DMA and the core forget what they were doing."""
        self.dma.write(DMA_CONTROL, DMA_RESET)
        deadline = monotonic() + self.timeout_s
        while self.dma.read(DMA_CONTROL) & DMA_RESET:
            if monotonic() > deadline:
                raise DriverError(f"the DMA is still in reset after {self.timeout_s:g} s; load the bitstream anew")
        self.registers.pulse("control", "reset")
        for channel in (self.dma.sendchannel, self.dma.recvchannel):
            channel.start()

    def _finish(self, what: str, channel: Any) -> None:
        """Wait for a channel, then have pynq do what comes behind a transfer: `wait` itself knows no end."""
        self._until(lambda: channel.idle or channel.error, f"the DMA did not move the {what}")
        if channel.error:
            self.reset()
            raise DriverError(f"the DMA reports an error with the {what}; they were reset, try the product again")
        channel.wait()

    def _until(self, done: Callable[[], object], problem: str) -> None:
        deadline = monotonic() + self.timeout_s
        while not done():
            if monotonic() > deadline:
                words = {name: self.registers.get(name) for name in ("words_in", "words_out")}
                self.reset()
                raise DriverError(
                    f"{problem} within {self.timeout_s:g} s (words_in {words['words_in']}, words_out "
                    f"{words['words_out']}); DMA and core were reset, check clock and connections or raise timeout_s"
                )


def _scale(numbers: NDArray[np.float64], format: Format, axis: int | None) -> NDArray[np.float64]:
    """What brings the largest magnitude along ``axis`` to that of the format; 1 where all are 0."""
    largest = abs(numbers).max(axis=axis, keepdims=True, initial=0.0)
    return np.where(largest > 0, largest / format.element.max, 1.0)
