"""The driver's view of an array is that of the array; registers and DMA are those of a core that is never done."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.fpga.accessors import Accessors
from hwexplore.fpga.build import Build
from hwexplore.fpga.driver.gemm import BoardShell, DriverError, Gemm
from hwexplore.fpga.driver.mac import BoardMac
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.packets import operand_packet, result_bytes, result_rows
from hwexplore.pe import PE

PES = ["mac(int8, int8, acc=int32)", "mac(e4m3, e4m3, acc=fp32, stages=2)", "mac(e2m1, int4, acc=exact(100))"]


def table(pe: str, dataflow: str = "os", output: str | None = None) -> tuple[Overlay, dict]:
    array = SystolicArray(
        pe=PE.parse(pe),
        rows=2,
        cols=3,
        dataflow=dataflow,
        depth=4,
        bus_bits=24,
        output=None if output is None else Format.parse(output),
    )
    overlay = Overlay(array=array, memory_bits=64)
    return overlay, Build(overlay=overlay, verilog="", hash=0x1234).table


@pytest.mark.parametrize("pe", PES)
def test_mac(pe: str) -> None:
    whole, board = PE.parse(pe), BoardMac.parse(pe)
    for name in ("weight", "activation", "tile", "accumulator_bits", "ports", "outputs"):
        assert getattr(board, name) == getattr(whole, name), name
    assert str(board) == str(whole)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1 << min(whole.accumulator_bits, 32), (3, 4), np.uint64)
    np.testing.assert_array_equal(board.decode(codes), whole.decode(codes))


def test_other_families() -> None:
    with pytest.raises(InputError, match=r"^PE lut\(.*the driver packs operands of family mac"):
        BoardMac.parse("lut(int2, int8, m=2, n=2, k=4)")


@pytest.mark.parametrize("dataflow", ["os", "ws"])
@pytest.mark.parametrize(("pe", "output"), [(PES[0], "int8"), (PES[1], "e4m3"), (PES[1], None), (PES[2], None)])
def test_packets(pe: str, output: str | None, dataflow: str) -> None:
    overlay, described = table(pe, dataflow, output)
    shell, array, rng = BoardShell.of(described), overlay.array, np.random.default_rng(2)
    weights, activations = (
        format.encode(rng.standard_normal((rows, 9)))
        for format, rows in ((array.pe.weight, 7), (array.pe.activation, 5))
    )
    unit, parameters = array.vector_unit, None
    if unit is not None:
        parameters = unit.parameters(np.full(7, 0.25))
        for name, codes in shell.array.vector_unit.parameters(np.full(7, 0.25)).items():
            np.testing.assert_array_equal(codes, parameters[name])
    words = streams.words(array, weights, activations, parameters)
    packet = operand_packet(shell, streams.words(shell.array, weights, activations, parameters))
    np.testing.assert_array_equal(packet, operand_packet(overlay, words))
    size = result_bytes(overlay, 5, 7)
    assert result_bytes(shell, 5, 7) == size
    rows = rng.integers(0, 256, size, np.uint8)
    np.testing.assert_array_equal(
        streams.results(shell.array, result_rows(shell, rows), 5, 7),
        streams.results(array, result_rows(overlay, rows), 5, 7),
    )


class Idle:
    """A channel that is done at once, or never, or with an error."""

    def __init__(self, idle: bool = True, error: bool = False) -> None:
        self.idle, self.error, self.starts = idle, error, 0

    def transfer(self, buffer: np.ndarray) -> None:
        assert buffer.dtype == np.uint8

    def wait(self) -> None:
        assert self.idle

    def start(self) -> None:
        self.starts += 1


@contextmanager
def buffer(size: int):
    yield np.zeros(size, np.uint8)


def gemm(
    send: Idle, receive: Idle, status: int, *, pe: str = PES[0], output: str | None = None, reset: int = 0
) -> Gemm:
    _, described = table(pe, output=output)
    resets = {
        register["offset"] + 4 * number: register["reset"] >> 32 * number & 0xFFFF_FFFF
        for register in described["registers"]
        for number in range(-(-register["bits"] // 32))
    }
    written: list[tuple[int, int]] = []
    dma = SimpleNamespace(
        buffer_max_size=4096,
        sendchannel=send,
        recvchannel=receive,
        write=lambda offset, value: written.append((offset, value)),
        read=lambda offset: reset,
    )
    words = {**resets, 0x54: status}
    core = Gemm(
        described,
        Accessors(described, words.__getitem__, lambda offset, value: written.append((offset, value))),
        dma,
        buffer,
        timeout_s=0.02,
    )
    core.written = written  # type: ignore[attr-defined]
    return core


OPERANDS = np.ones((2, 3), np.uint8), np.ones((4, 3), np.uint8)
DONE = 0b10


@pytest.mark.parametrize(
    ("send", "receive", "status", "sentence"),
    [
        (Idle(idle=False), Idle(), DONE, r"^the DMA did not move the operands within 0.02 s \(words_in 0.*timeout_s$"),
        (Idle(), Idle(idle=False), DONE, r"^the DMA did not move the results within"),
        (Idle(), Idle(error=True), DONE, r"^the DMA reports an error with the results"),
        (Idle(), Idle(), 1, r"^the core did not say that it is done within"),
        (Idle(), Idle(), DONE | 8, r"^the core reports short_error;"),
    ],
)
def test_problems(send: Idle, receive: Idle, status: int, sentence: str) -> None:
    core = gemm(send, receive, status)
    with pytest.raises(DriverError, match=sentence):
        core.multiply(*OPERANDS)
    assert core.written[-2:] == [(0x00, 4), (0x50, 2)]  # type: ignore[attr-defined]
    assert (send.starts, receive.starts) == (1, 1)


def test_reset_without_end() -> None:
    with pytest.raises(DriverError, match=r"^the DMA is still in reset after 0.02 s; load the bitstream anew$"):
        gemm(Idle(idle=False), Idle(), DONE, reset=4).multiply(*OPERANDS)


def test_bad_input() -> None:
    core = gemm(Idle(), Idle(), DONE)
    with pytest.raises(InputError, match=r"^operands of 4 x 2 x 9000 take \d+ bytes; the DMA moves at most 4096"):
        core.multiply(np.zeros((2, 9000), np.uint8), np.zeros((4, 9000), np.uint8))
    with pytest.raises(InputError, match=r"^output_scale is missing: this core gives results in int8"):
        gemm(Idle(), Idle(), DONE, output="int8")(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InputError, match=r"sums at most 100 products, but k = 101"):
        gemm(Idle(), Idle(), DONE, pe=PES[2]).multiply(np.zeros((2, 101), np.uint8), np.zeros((2, 101), np.uint8))


def test_another_build() -> None:
    _, described = table(PES[0])
    with pytest.raises(InputError, match=r"^id of the core is 0x0 and its table says .* same build$"):
        Gemm(described, Accessors(described, lambda offset: 0, lambda offset, value: None), None, buffer)
