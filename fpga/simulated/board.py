"""Runs inside the simulator: a core with a DMA and memory around it, and a client that is their processor.

``board.json`` beside it has the core's addresses; the port on 127.0.0.1 goes to ``port``. The clock stands still
between requests.
"""

from __future__ import annotations

import json
import socket
import warnings
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

warnings.simplefilter("ignore", DeprecationWarning)

from cocotbext.axi import (  # noqa: E402
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

BOARD = json.loads(Path("board.json").read_text())
CORE, DMA = (range(base, base + size) for base, size in (BOARD["core"], BOARD["dma"]))
MEMORY = range(0x1000_0000, 0x1000_0000 + (64 << 20))
GARBAGE = 0xA5
"""What is in memory that nothing was written to."""
CYCLES = 100
"""That pass with each access to the DMA, about as on a board."""
SEND, RECEIVE = 0x00, 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 1, 4
HALTED, IDLE, INTERNAL_ERROR, DECODE_ERROR, INTERRUPT = 1, 2, 0x10, 0x40, 0x1000
LENGTH_MASK = (1 << 26) - 1


class Channel:
    """Registers of a channel of the AXI DMA in simple mode (PG021)."""

    def __init__(self) -> None:
        self.control, self.status, self.address, self.length = 0, HALTED, 0, 0
        self.task: Any = None

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.__init__()  # type: ignore[misc]

    def fail(self, error: int) -> None:
        self.status |= error | HALTED
        self.control &= ~RUN


class Board:
    """The core, with a DMA at its streams."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        dut.aresetn.value = 0
        Clock(dut.aclk, 2, unit="ns").start()
        reset = (dut.aclk, dut.aresetn, False)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), *reset)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), *reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), *reset)
        self.memory = bytearray([GARBAGE]) * len(MEMORY)
        self.channels = {SEND: Channel(), RECEIVE: Channel()}
        self.sink.pause = True

    async def answer(self, request: str, address: int, length: int = 0, data: str = "", **_: Any) -> bytes:
        """What a request gives; ValueError saying what is wrong with it."""
        content = bytes.fromhex(data)
        if request == "reset":
            await self.reset()
        elif request == "read":
            return await self.read(address, length)
        elif request == "write":
            await self.write(address, content)
        elif request == "load":
            return bytes(self.memory[self.place(address, length)])
        elif request == "store":
            self.memory[self.place(address, len(content))] = content
        else:
            raise ValueError(f"there is no request {request!r}")
        return b""

    def place(self, address: int, length: int) -> slice:
        if address not in MEMORY or address + length > MEMORY.stop:
            raise ValueError(f"{length} bytes at {address:#x} are not in the memory of the simulated board")
        return slice(address - MEMORY.start, address - MEMORY.start + length)

    async def reset(self) -> None:
        self.dut.aresetn.value = 0
        await self.reset_dma()
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 4)

    async def reset_dma(self) -> None:
        for channel in self.channels.values():
            channel.stop()
        for stream in (self.source, self.sink):
            stream.assert_reset(True)
            stream.clear()
        await ClockCycles(self.dut.aclk, 4)
        for stream in (self.source, self.sink):
            stream.assert_reset(False)
        self.sink.pause = True

    async def read(self, address: int, length: int) -> bytes:
        if address in CORE:
            answer = await self.lite.read(address - CORE.start, length)
            if answer.resp != AxiResp.OKAY:
                raise ValueError(f"bus error: the core has no register to read at {address - CORE.start:#x}")
            return bytes(answer.data)
        channel, register = self.of_dma(address)
        await ClockCycles(self.dut.aclk, CYCLES)
        values = {
            CONTROL: channel.control,
            STATUS: channel.status,
            ADDRESS: channel.address & 0xFFFF_FFFF,
            ADDRESS_HIGH: channel.address >> 32,
            LENGTH: channel.length,
        }
        return values.get(register, 0).to_bytes(4, "little")

    async def write(self, address: int, data: bytes) -> None:
        if address in CORE:
            if (await self.lite.write(address - CORE.start, data)).resp != AxiResp.OKAY:
                raise ValueError(f"bus error: the core has no register to write at {address - CORE.start:#x}")
            return
        channel, register = self.of_dma(address)
        await ClockCycles(self.dut.aclk, CYCLES)
        value = int.from_bytes(data, "little")
        if register == CONTROL and value & RESET:
            await self.reset_dma()
        elif register == CONTROL:
            channel.control = value
            channel.status = channel.status & ~HALTED if value & RUN else channel.status | HALTED
        elif register == STATUS:
            channel.status &= ~(value & INTERRUPT)
        elif register == ADDRESS:
            channel.address = channel.address >> 32 << 32 | value
        elif register == ADDRESS_HIGH:
            channel.address = channel.address & 0xFFFF_FFFF | value << 32
        elif register == LENGTH and not channel.status & HALTED:
            self.start(channel, value & LENGTH_MASK)

    def of_dma(self, address: int) -> tuple[Channel, int]:
        if address not in DMA:
            raise ValueError(f"bus error: there is nothing at {address:#x}")
        offset = address - DMA.start
        base = RECEIVE if offset >= RECEIVE else SEND
        return self.channels[base], offset - base

    def start(self, channel: Channel, length: int) -> None:
        channel.length = length
        channel.status &= ~IDLE
        try:
            place = self.place(channel.address, length)
        except ValueError:
            channel.fail(DECODE_ERROR)
            return
        if not length:
            channel.fail(INTERNAL_ERROR)
        elif channel is self.channels[SEND]:
            channel.task = cocotb.start_soon(self.send(channel, bytes(self.memory[place])))
        else:
            channel.task = cocotb.start_soon(self.receive(channel, place))

    async def send(self, channel: Channel, data: bytes) -> None:
        await self.source.send(AxiStreamFrame(data))
        await self.source.wait()
        channel.status |= IDLE | INTERRUPT

    async def receive(self, channel: Channel, place: slice) -> None:
        self.sink.pause = False
        packet = bytes((await self.sink.recv()).tdata)
        self.sink.pause = True
        if len(packet) > place.stop - place.start:
            channel.fail(INTERNAL_ERROR)
            return
        self.memory[place.start : place.start + len(packet)] = packet
        channel.length = len(packet)
        channel.status |= IDLE | INTERRUPT


@cocotb.test()
async def board(dut: Any) -> None:
    """Not a test: serves one client until it goes, or until none comes."""
    simulated = Board(dut)
    await simulated.reset()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(BOARD["patience_s"])
        Path("port.new").write_text(str(server.getsockname()[1]))
        Path("port.new").rename("port")
        connection, _ = server.accept()
    connection.settimeout(BOARD["patience_s"])
    with connection, connection.makefile("r", encoding="ascii") as requests:
        for line in requests:
            try:
                said = {"data": (await simulated.answer(**json.loads(line))).hex()}
            except ValueError as error:
                said = {"problem": str(error)}
            connection.sendall(json.dumps(said).encode("ascii") + b"\n")
