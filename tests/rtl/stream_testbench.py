"""cocotb tests of the stream wrapper; ``case.json`` beside it has the runs of operands and the sums they must give."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

CASE = json.loads(Path("case.json").read_text())
RUNS: list[list[int]] = CASE["runs"]
SUMS: list[int] = CASE["sums"]


async def reset(dut: Any) -> None:
    dut.rst.value = 1
    dut.operands__valid.value = 0
    dut.operands__payload.value = 0
    dut.sums__ready.value = 0
    for _ in range(2):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def produce(dut: Any, runs: list[list[int]], busy: float) -> int:
    """Send the runs, offering a beat in a share ``busy`` of the cycles; the number of cycles a beat had to wait."""
    waited = 0
    for run in runs:
        for position, operands in enumerate(run):
            while random.random() >= busy:
                await RisingEdge(dut.clk)
            last = position == len(run) - 1
            dut.operands__payload.value = operands | last << CASE["bits"]
            dut.operands__valid.value = 1
            await RisingEdge(dut.clk)
            while not int(dut.operands__ready.value):
                waited += 1
                await RisingEdge(dut.clk)
            dut.operands__valid.value = 0
    return waited


async def consume(dut: Any, count: int, busy: float) -> list[int]:
    """Take ``count`` sums, being ready in a share ``busy`` of the cycles; what is offered has to stay."""
    taken: list[int] = []
    offered = None
    while len(taken) < count:
        ready = random.random() < busy
        dut.sums__ready.value = int(ready)
        await RisingEdge(dut.clk)
        valid, payload = int(dut.sums__valid.value), int(dut.sums__payload.value)
        assert offered is None or (valid, payload) == (1, offered), "a sum went away before it was taken"
        if valid and ready:
            taken.append(payload)
        offered = payload if valid and not ready else None
    dut.sums__ready.value = 0
    return taken


async def transfer(dut: Any, producer: float, consumer: float) -> int:
    sending = cocotb.start_soon(produce(dut, RUNS, producer))
    assert await consume(dut, len(SUMS), consumer) == SUMS
    return await sending


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """With a consumer that is always ready, only runs shorter than the way to the output have to wait."""
    Clock(dut.clk, 2, unit="ns").start()
    await reset(dut)
    waited = await transfer(dut, 1.0, 1.0)
    assert (waited > 0) == (min(map(len, RUNS)) < CASE["latency"] + 2)


@cocotb.test()
async def back_pressure(dut: Any) -> None:
    """Pauses on both sides lose nothing, double nothing and keep the order."""
    Clock(dut.clk, 2, unit="ns").start()
    await reset(dut)
    for producer, consumer in ((1.0, 0.05), (0.1, 1.0), (0.5, 0.5), (0.9, 0.2)):
        await transfer(dut, producer, consumer)


@cocotb.test()
async def latency(dut: Any) -> None:
    """A sum is offered ``latency`` edges after the one that takes its last operands."""
    Clock(dut.clk, 2, unit="ns").start()
    await reset(dut)
    await produce(dut, RUNS[:1], 1.0)
    for edges in range(CASE["latency"]):
        await ReadOnly()
        assert not int(dut.sums__valid.value), f"offered after {edges} edges"
        await RisingEdge(dut.clk)
    await ReadOnly()
    assert int(dut.sums__valid.value)
    assert int(dut.sums__payload.value) == SUMS[0]


@cocotb.test()
async def reset_in_mid_stream(dut: Any) -> None:
    """After a reset, nothing of before is left: neither a sum in part nor one on its way or waiting."""
    Clock(dut.clk, 2, unit="ns").start()
    await reset(dut)
    for beats in range(1, 2 * len(RUNS[0]), max(len(RUNS[0]) // 8, 1)):
        before = [*RUNS[0], *RUNS[1]][:beats]
        ends = beats >= len(RUNS[0])
        runs = [before[: len(RUNS[0])], before[len(RUNS[0]) :]] if ends else [before]
        sending = cocotb.start_soon(produce(dut, runs, 1.0))
        for _ in range(beats):
            await RisingEdge(dut.clk)
        sending.cancel()
        await reset(dut)
        await transfer(dut, 0.8, 0.8)
