"""Matrix products: a systolic array with its memories and vector unit, between two streams."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SIZE_BITS, SystolicArray
from hwexplore.rtl.array import PEArray
from hwexplore.rtl.core import build, delayed
from hwexplore.rtl.operand_memory import OperandMemory
from hwexplore.rtl.output_stationary import OutputStationaryArray
from hwexplore.rtl.separate import Separate, core_name
from hwexplore.rtl.vector_unit import lane, lane_name
from hwexplore.rtl.verilog import convert
from hwexplore.rtl.weight_stationary import WeightStationaryArray

__all__ = ["Gemm", "gemm_modules", "part_modules"]

ARRAYS: dict[str, type[PEArray]] = {"os": OutputStationaryArray, "ws": WeightStationaryArray}


def gemm_modules(array: SystolicArray, name: str) -> dict[str, str]:
    """The Verilog of ``array`` by module: the one called ``name``, a PE, and a lane of the vector unit, if any."""
    return {**part_modules(array), name: convert(Gemm(array), name)}


def part_modules(array: SystolicArray) -> dict[str, str]:
    """The Verilog by module of the PE and the lane that a `Gemm` has instances of."""
    chained = array.dataflow == "ws"
    parts: dict[str, wiring.Component] = {core_name(array.pe, chained): build(array.pe, chained)}
    if array.vector_unit is not None:
        parts[lane_name(array.vector_unit)] = lane(array.vector_unit)
    return {name: convert(part, name) for name, part in parts.items()}


class Gemm(wiring.Component):
    """Products of activations [m, k] and weights [n, k], transposed, of any size, on one array.

    `hwexplore.accelerator.streams` makes the words of a product and takes its results apart, and
    `SystolicArray.cycles` says for how many cycles it is busy if neither stream makes it wait.

    PEs and lanes of the vector unit are instances of the Verilog modules that `gemm_modules` gives beside its own.

    Ports
    -----
    m, n, k : In(16)
        Sizes of the product in tiles of the PE; they have to stay as long as it is ``busy``.
    start : In(1)
        Begin with the product, unless ``busy``.
    busy : Out(1)
    words : In(stream)
        ``payload`` has ``bus_bits`` bits.
    loading : Out(1)
        There are words of the product to come.
    results : Out(stream)
        ``payload`` has the results of a row of tiles, those of the first column lowest.
    """

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        super().__init__(
            {
                **{name: In(SIZE_BITS) for name in "mnk"},
                "start": In(1),
                "busy": Out(1),
                "words": In(stream.Signature(array.bus_bits)),
                "loading": Out(1),
                "results": Out(stream.Signature(array.cols * array.result_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pes = pes = ARRAYS[self.array.dataflow](self.array)
        m.submodules.sequencer = sequencer = pes.sequencer(self.array)
        m.submodules.memory = memory = OperandMemory(self.array)
        wiring.connect(m, wiring.flipped(self.words), memory.words)
        m.d.comb += self.loading.eq(memory.loading)
        for part in (memory, sequencer):
            m.d.comb += [getattr(part, name).eq(getattr(self, name)) for name in "mnk"]
            m.d.comb += part.start.eq(self.start & ~self.busy)
        m.d.comb += [
            sequencer.full.eq(memory.full),
            *(
                getattr(memory, name).eq(getattr(sequencer, name))
                for name in ("release", "half", "weight_address", "activation_address")
            ),
            pes.weights.eq(memory.weights),
            pes.activations.eq(memory.activations),
            pes.control.eq(sequencer.control),
            memory.parameters_half.eq(pes.half),
        ]

        valid, results = self._results(m, pes.sums, pes.valid, memory.parameters)
        m.submodules.queue = queue = SyncFIFO(width=len(results), depth=self.array.results_under_way)
        m.d.comb += [
            queue.w_en.eq(valid),
            queue.w_data.eq(results),
            self.results.valid.eq(queue.r_rdy),
            self.results.payload.eq(queue.r_data),
            queue.r_en.eq(self.results.ready),
        ]
        under_way = Signal(range(queue.depth + 1))
        """Rows of results that have begun and not left."""
        leaves = self.results.valid & self.results.ready
        m.d.sync += under_way.eq(under_way + sequencer.begins - leaves)
        m.d.comb += sequencer.room.eq(under_way < queue.depth)

        ended = Signal(self.array.pipeline_cycles)
        """In which of the last cycles the sequencer was running."""
        m.d.sync += ended.eq(Cat(sequencer.running, ended))
        m.d.comb += self.busy.eq(sequencer.running | ended.any() | under_way.any())
        return m

    def _results(self, m: Module, sums: Signal, valid: Signal, parameters: Signal) -> tuple[Signal, Signal]:
        unit, pe = self.array.vector_unit, self.array.pe
        if unit is None:
            return valid, sums
        results = []
        for column in range(self.array.cols):
            shown = sums.word_select(column, self.array.sum_bits)
            for number in range(pe.tile.m * pe.tile.n):
                row, place = divmod(number, pe.tile.n)
                m.submodules[f"lane_{column}_{number}"] = one = Separate(lane(unit), lane_name(unit))
                of_column = parameters.word_select(column * pe.tile.n + place, sum(unit.fields.values()))
                m.d.comb += [
                    one.parameters.eq(of_column),
                    one.sum.eq(shown.word_select(number, pe.accumulator_bits)),
                ]
                if len(unit.factors) > 1:
                    m.d.comb += one.activation_sum.eq(
                        shown.word_select(pe.tile.m * pe.tile.n + row, pe.accumulator_bits)
                    )
                results.append(one.result)
        (valid,) = delayed(m, "valid", (valid,), unit.stages)
        return valid, Cat(results)
