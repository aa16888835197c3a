"""cocotb tests of a core, by the AXI models of cocotbext-axi.

``case.json`` beside it has the core's registers and products, and whether its AXI4-Lite is to be tested for itself;
what comes out of it goes to ``received.json``.
"""

from __future__ import annotations

import itertools
import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout

warnings.simplefilter("error")
for message in (
    "Use `handle.set",
    "Use `signal.value_change`",
    "The data field will be removed",
    "`task.kill",
):
    warnings.filterwarnings("ignore", message, DeprecationWarning, r"cocotbext\.axi")

from cocotbext.axi import (  # noqa: E402
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

CASE = json.loads(Path("case.json").read_text())
REGISTERS = {register["name"]: register for register in CASE["registers"]}
PRODUCTS = CASE["products"]
WORD_BYTES, RESULT_BYTES = CASE["words_bits"] // 8, CASE["results_bits"] // 8
OKAY, SLVERR = AxiResp.OKAY, AxiResp.SLVERR
PATIENCE_NS = 100_000
received: list[tuple[int, str]] = []


def test(**options: Any) -> Any:
    """A cocotb test that fails if it does not come to an end."""
    return cocotb.test(timeout_time=200, timeout_unit="us", **options)


def pauses(share: float) -> Iterator[bool]:
    return (random.random() < share for _ in itertools.count())


class Bench:
    """A core with a master at each of its interfaces."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        dut.aresetn.value = 0
        Clock(dut.aclk, 2, unit="ns").start()
        reset = (dut.aclk, dut.aresetn, False)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), *reset)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), *reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), *reset)

    @classmethod
    async def of(cls, dut: Any) -> Bench:
        bench = cls(dut)
        await bench.reset()
        return bench

    async def reset(self) -> None:
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 2)
        assert not int(self.dut.m_axis_tvalid.value)
        assert not int(self.dut.s_axi_bvalid.value)
        assert not int(self.dut.s_axi_rvalid.value)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def reset_with_dma(self) -> None:
        """As the driver does it: the DMA forgets its packets, and so does the core."""
        for stream in (self.source, self.sink):
            stream.assert_reset(True)
        await self.write("control", 2)
        for stream in (self.source, self.sink):
            stream.assert_reset(False)
        self.source.clear()
        self.sink.clear()

    def pause(self, share: float) -> None:
        write, read = self.lite.write_if, self.lite.read_if
        channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        for one in (*channels, self.source, self.sink):
            if share:
                one.set_pause_generator(pauses(share))
            else:
                one.clear_pause_generator()
                one.pause = False

    async def read(self, name: str) -> int:
        register = REGISTERS[name]
        answer = await self.lite.read(register["offset"], -(-register["bits"] // 32) * 4)
        assert answer.resp == OKAY
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int) -> None:
        answer = await self.lite.write(REGISTERS[name]["offset"], value.to_bytes(4, "little"))
        assert answer.resp == OKAY

    async def status(self) -> set[str]:
        value, fields = await self.read("status"), REGISTERS["status"]["fields"]
        return {field["name"] for place, field in enumerate(fields) if value >> place & 1}

    async def ends(self) -> set[str]:
        """The status, once it is no longer busy."""
        for _ in range(PATIENCE_NS // 10):
            if "busy" not in (status := await self.status()):
                return status
        raise AssertionError("the core is busy for ever")

    async def start(self, product: dict[str, Any]) -> None:
        for name, size in zip("mnk", product["sizes"], strict=True):
            await self.write(name, size)
        await self.write("control", 1)

    async def packet(self) -> bytes:
        frame = await with_timeout(self.sink.recv(), PATIENCE_NS, "ns")
        assert frame.tkeep is None or all(frame.tkeep)
        return bytes(frame.tdata)

    async def multiply(self, number: int) -> None:
        """A product whose operands are there when it starts; the test behind the simulation looks at its results."""
        product = PRODUCTS[number]
        packet = bytes.fromhex(product["packet"])
        await self.source.send(AxiStreamFrame(packet))
        await self.start(product)
        results = await self.packet()
        assert await self.ends() == {"done"}
        assert self.sink.empty()
        assert await self.read("words_in") * WORD_BYTES == len(packet)
        assert await self.read("words_out") * RESULT_BYTES == len(results) == product["result_bytes"]
        received.append((number, results.hex()))


@test()
async def identity(dut: Any) -> None:
    bench = await Bench.of(dut)
    for name, register in REGISTERS.items():
        assert await bench.read(name) == register["reset"], name
    text = (await bench.read("pe")).to_bytes(REGISTERS["pe"]["bits"] // 8, "little").rstrip(b"\0").decode()
    assert text == CASE["pe"]


@test(skip=not CASE["lite"])
async def strobes(dut: Any) -> None:
    """A write reaches the bytes that it is for, and no others."""
    bench = await Bench.of(dut)
    offset = REGISTERS["n"]["offset"]
    await bench.write("n", 0x1234)
    assert (await bench.lite.write(offset + 1, b"\xab")).resp == OKAY
    assert await bench.read("n") == 0xAB34
    assert (await bench.lite.write(offset, b"\xcd")).resp == OKAY
    assert (await bench.lite.write(offset + 2, b"\xff\xff")).resp == OKAY
    assert await bench.read("n") == 0xABCD
    assert (await bench.lite.write(REGISTERS["control"]["offset"] + 1, b"\xff\xff\xff")).resp == OKAY
    assert await bench.status() == set()


@test(skip=not CASE["lite"])
async def illegal_addresses(dut: Any) -> None:
    """Every word of the 4 KiB: who has a register answers, who has none says SLVERR and changes nothing."""
    bench = await Bench.of(dut)
    readable, writable = set(), set()
    for register in REGISTERS.values():
        words = range(register["offset"], register["offset"] + -(-register["bits"] // 32) * 4, 4)
        readable.update(words)
        writable.update(words if register["access"] in ("setting", "pulse") else ())
    before = {name: await bench.read(name) for name in REGISTERS}
    chosen = sorted(readable) + random.sample(range(0, 1 << 12, 4), 100) + [max(readable) + 4, (1 << 12) - 4]
    for address in chosen:
        answer = await bench.lite.read(address, 4)
        assert answer.resp == (OKAY if address in readable else SLVERR), hex(address)
        assert address in readable or answer.data == bytes(4)
        answer = await bench.lite.write(address, bytes(4))
        assert answer.resp == (OKAY if address in writable else SLVERR), hex(address)
        if address in readable - writable:
            assert (await bench.lite.write(address, b"\xff" * 4)).resp == SLVERR
    assert {name: await bench.read(name) for name in REGISTERS} == before


@test(skip=not CASE["lite"])
async def reads_and_writes_at_once(dut: Any) -> None:
    """Both ways at the same time, with pauses on all channels; runs of words without a pause between them."""
    bench = await Bench.of(dut)
    for share in (0.0, 0.3, 0.8):
        bench.pause(share)
        for _ in range(8):
            sizes = [random.randrange(1 << 16) for _ in "mnk"]
            run = b"".join(size.to_bytes(4, "little") for size in sizes)
            writing = cocotb.start_soon(bench.lite.write(REGISTERS["m"]["offset"], run))
            assert await bench.read("build") == REGISTERS["build"]["reset"]
            assert await bench.read("pe") == REGISTERS["pe"]["reset"]
            assert (await writing).resp == OKAY
            assert (await bench.lite.read(REGISTERS["m"]["offset"], 12)).data == run


@test(skip=not CASE["lite"])
async def answers_wait(dut: Any) -> None:
    """Address and data in any order; an answer stays as it is until it is taken."""
    bench = await Bench.of(dut)
    write = bench.lite.write_if
    for late in (write.aw_channel, write.w_channel, write.b_channel):
        late.pause = True
        writing = cocotb.start_soon(bench.lite.write(REGISTERS["k"]["offset"], b"\x05\x00\x00\x00"))
        await ClockCycles(dut.aclk, 10)
        assert not writing.done()
        late.pause = False
        assert (await writing).resp == OKAY
    bench.lite.read_if.r_channel.pause = True
    reading = cocotb.start_soon(bench.lite.read(REGISTERS["k"]["offset"], 4))
    await ClockCycles(dut.aclk, 10)
    assert not reading.done()
    await bench.write("k", 6)
    bench.lite.read_if.r_channel.pause = False
    assert int.from_bytes((await reading).data, "little") == 5


@test()
async def full_rate(dut: Any) -> None:
    """Streams that never wait: the array is busy for the cycles of the model, if a row leaves in one beat."""
    bench = await Bench.of(dut)
    for number, product in enumerate(PRODUCTS):
        await bench.multiply(number)
        cycles = await bench.read("cycles")
        assert cycles == product["cycles"] or (CASE["row_beats"] > 1 and cycles > product["cycles"])


@test()
async def back_pressure(dut: Any) -> None:
    bench = await Bench.of(dut)
    for share in (0.2, 0.5, 0.8):
        bench.pause(share)
        for number in range(len(PRODUCTS)):
            await bench.multiply(number)


@test()
async def operands_wait_for_the_start(dut: Any) -> None:
    """Those of several products, one behind the other."""
    bench = await Bench.of(dut)
    for product in PRODUCTS:
        await bench.source.send(AxiStreamFrame(bytes.fromhex(product["packet"])))
    await ClockCycles(dut.aclk, 20)
    assert await bench.read("words_in") == 0
    for number, product in enumerate(PRODUCTS):
        await bench.start(product)
        received.append((number, (await bench.packet()).hex()))
        assert await bench.ends() == {"done"}


@test()
async def start_without_operands(dut: Any) -> None:
    """It waits, another start changes nothing, and so do new sizes; a reset by the driver ends it."""
    bench = await Bench.of(dut)
    await bench.start(PRODUCTS[0])
    await ClockCycles(dut.aclk, 200)
    assert await bench.status() == {"busy"}
    await bench.start(PRODUCTS[1])
    assert await bench.status() == {"busy"}
    await bench.source.send(AxiStreamFrame(bytes.fromhex(PRODUCTS[0]["packet"])))
    received.append((0, (await bench.packet()).hex()))
    assert await bench.ends() == {"done"}
    await bench.start(PRODUCTS[0])
    await bench.reset_with_dma()
    assert await bench.status() == set()
    await bench.multiply(1)


@test()
async def no_size(dut: Any) -> None:
    bench = await Bench.of(dut)
    for missing in range(3):
        sizes = [0 if place == missing else size for place, size in enumerate(PRODUCTS[0]["sizes"])]
        await bench.start({"sizes": sizes})
        assert await bench.status() == {"done", "size_error"}
    await bench.multiply(0)


@test()
async def too_little(dut: Any) -> None:
    """A short packet is an error, ends the packet of results, and does not harm the next product."""
    bench = await Bench.of(dut)
    for share in (0.0, 0.5):
        bench.pause(share)
        for number, product in enumerate(PRODUCTS):
            packet = bytes.fromhex(product["packet"])
            words = len(packet) // WORD_BYTES
            for length in sorted({1, words // 2, words - 1} - {0, words}):
                await bench.start(product)
                await bench.source.send(AxiStreamFrame(packet[: length * WORD_BYTES]))
                results = await bench.packet()
                assert len(results) <= product["result_bytes"]
                assert results[-RESULT_BYTES * CASE["row_beats"] :] == bytes(RESULT_BYTES * CASE["row_beats"])
                assert await bench.ends() == {"done", "short_error"}
                assert await bench.read("words_in") == length
            await bench.multiply(number)


@test()
async def too_much(dut: Any) -> None:
    """A long packet is an error, what is too much of it is taken and thrown away, and the results are right."""
    bench = await Bench.of(dut)
    for share in (0.0, 0.5):
        bench.pause(share)
        for number, product in enumerate(PRODUCTS):
            packet = bytes.fromhex(product["packet"])
            for more in (1, 100):
                await bench.start(product)
                await bench.source.send(AxiStreamFrame(packet + bytes(more * WORD_BYTES)))
                received.append((number, (await bench.packet()).hex()))
                assert await bench.ends() == {"done", "long_error"}
                assert await bench.read("words_in") * WORD_BYTES == len(packet) + more * WORD_BYTES
            await bench.multiply(number)


@test()
async def part_of_a_word(dut: Any) -> None:
    bench = await Bench.of(dut)
    packet = bytes.fromhex(PRODUCTS[0]["packet"])
    await bench.start(PRODUCTS[0])
    await bench.source.send(AxiStreamFrame(packet[:-1]))
    await bench.packet()
    assert await bench.ends() == {"done", "keep_error"}
    await bench.multiply(0)


@test()
async def reset_in_mid_transfer(dut: Any) -> None:
    """By the wire and by the driver, at any time: the next product is right."""
    bench = await Bench.of(dut)
    product = PRODUCTS[-1]
    for resets in (bench.reset, bench.reset_with_dma):
        for share in (0.0, 0.5):
            bench.pause(share)
            for _ in range(4):
                await bench.start(product)
                await bench.source.send(AxiStreamFrame(bytes.fromhex(product["packet"])))
                await ClockCycles(dut.aclk, random.randrange(int(product["cycles"] * (1 + 3 * share))))
                await resets()
                bench.source.clear()
                bench.sink.clear()
                assert await bench.status() == set()
                await bench.multiply(len(PRODUCTS) - 1)


@test()
async def interrupt(dut: Any) -> None:
    """As long as a product is done, and the driver wants to hear of it."""
    bench = await Bench.of(dut)
    await bench.multiply(0)
    assert not int(dut.irq.value)
    await bench.write("interrupt", 1)
    await RisingEdge(dut.aclk)
    assert int(dut.irq.value)
    await bench.start(PRODUCTS[0])
    await RisingEdge(dut.aclk)
    assert not int(dut.irq.value)
    await bench.source.send(AxiStreamFrame(bytes.fromhex(PRODUCTS[0]["packet"])))
    await with_timeout(RisingEdge(dut.irq), PATIENCE_NS, "ns")
    assert "done" in await bench.status()


@test()
async def hand_over(dut: Any) -> None:
    """Not a test: leaves what came out to the test behind the simulation."""
    Path("received.json").write_text(json.dumps(received))
