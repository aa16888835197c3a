"""Mutation: would vectors notice a fault in a core?

Yosys puts small faults into the netlist of a core, behind one selector: a bit of a cell's input or output is stuck, is
inverted, or is inverted while another bit of the port is 0 or 1. Each mutant replays a trace of the golden model, and
is killed if it shows something else. One that survives may yet do what the core does. SAT proves that, by induction
over clock cycles: that in every state that the core reaches, the mutant has the same outputs and the same next state.
Mutants that differ only within a tile, where outputs have no meaning, or in states that the induction cannot rule out,
count as survivors.

``python -m hwexplore.rtl.mutation`` prints the scores of a unit of each family.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from amaranth.back import rtlil

from hwexplore.pe import PE
from hwexplore.rtl.core import build
from hwexplore.rtl.replay import CONTROL, play
from hwexplore.rtl.simulator import Simulator, find
from hwexplore.rtl.vectors import check_trace
from hwexplore.rtl.verilog import PASSES, yosys

__all__ = ["UNITS", "Mutation", "mutate"]

UNITS = {
    "mac(int8, int8, acc=int32)": 20_000,
    "mac(e4m3, int4, acc=fp16, stages=2)": 20_000,
    "dot(mxfp4, mxfp4)": 100_000,
    "shift_add(int4, int8, group=2, acc=fp16)": 20_000,
    "lut(int2, int8, m=2, n=4, k=4)": 20_000,
    "bit_serial(bipolar3, int4, lanes=8, acc=int16, stages=2)": 20_000,
    "multi(int8, int8, acc=int32)": 20_000,
}
"""Units of each family, and with how many operand pairs, at least, the tests replay them."""
MUTANTS = 100
SPARE = 1.5
"""Mutants that are drawn for each that is wanted, since those of clocks are dropped."""
SECONDS = 10
"""Time for one step of a proof."""

PLAYER = """\
module player_{number}(input clk, output reg done = 0);
  reg [{width}-1:0] rows [0:{rows}-1];
  reg [{input_bits}-1:0] inputs = 1;
  reg [{output_bits}-1:0] expected;
  reg defined, starts = 1;
  wire [{output_bits}-1:0] shown;
  integer mutant = 0, selected = 0, row = 0, response;
  core_{number} core(.clk(clk), .mutant(selected[{selector_bits}-1:0]), {connections});
  initial begin
    $readmemh("trace_{number}.txt", rows);
    response = $fopen("killed_{number}.txt", "w");
  end
  always @(negedge clk) if (!done) begin
    if (starts) begin
      starts = 0;
      selected = mutant;
      row = 0;
    end
    {{inputs, defined, expected}} = rows[row];
    row = row + 1;
    if (defined && row > 1 && shown !== expected || row == {rows}) begin
      $fdisplay(response, "%d", shown !== expected && defined);
      // The next mutant starts with the registers that a reset of the right core leaves.
      starts = 1;
      selected = 0;
      inputs = 1;
      if (mutant == {mutants}) begin
        $fclose(response);
        done = 1;
      end
      mutant = mutant + 1;
    end
  end
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """What became of the mutants of a unit. ``survivors`` are those neither killed nor proven equivalent."""

    pe: str
    mutants: int
    killed: int
    equivalent: int
    survivors: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share of the mutants not proven equivalent that were killed."""
        return self.killed / (self.mutants - self.equivalent)


def mutate(
    traces: Sequence[tuple[PE, pd.DataFrame]],
    simulator: Simulator,
    folder: Path,
    mutants: int = MUTANTS,
    seed: int = 0,
) -> list[Mutation]:
    """Play the trace of each PE to ``mutants`` mutants of its core; all are compiled together, in ``folder``.

    There have to be more faults than that to choose from: in the smallest cores Yosys never finds 100.
    RuntimeError if a core without a fault differs from its golden model.
    """
    faults = [_faults(pe, f"core_{number}", mutants, seed, folder) for number, (pe, _) in enumerate(traces)]
    players = [_player(number, pe, trace, len(faults[number]), folder) for number, (pe, trace) in enumerate(traces)]
    play(players, [folder / f"core_{number}.v" for number in range(len(traces))], simulator, folder)
    return [_mutation(pe, number, faults[number], folder) for number, (pe, _) in enumerate(traces)]


def _faults(pe: PE, core: str, count: int, seed: int, folder: Path) -> list[str]:
    """Write the netlist ``core`` without faults and with all of them; returns the Yosys commands that make them."""
    (folder / f"{core}.il").write_text(rtlil.convert(build(pe), name=core, emit_src=False), "utf-8")
    prepare = [f"read_rtlil {core}.il", *PASSES, "wreduce", "opt_clean -purge", f"write_rtlil {core}.il"]
    yosys([*prepare, f"mutate -list {round(SPARE * count)} -seed {seed} -o {core}.ys"], folder)
    drawn = (folder / f"{core}.ys").read_text("utf-8").splitlines()
    faults = [line for line in drawn if " -port CLK " not in line][:count]
    selector = f"mutate -ctrl mutant {len(faults).bit_length()}"
    script = (re.sub("^mutate", f"{selector} {value}", fault) for value, fault in enumerate(faults, 1))
    (folder / f"{core}.ys").write_text("\n".join(script), "utf-8")
    yosys([f"read_rtlil {core}.il", f"script {core}.ys", f"write_verilog -noattr -norename {core}.v"], folder)
    return faults


def _player(number: int, pe: PE, cycles: pd.DataFrame, mutants: int, folder: Path) -> str:
    """Write the trace and return what plays it to every mutant of the core."""
    inputs, outputs = {**dict.fromkeys(CONTROL, 1), **pe.ports}, pe.outputs
    widths = {**outputs, "defined": 1, **inputs}
    words, low = np.zeros(len(cycles), object), 0
    for name, bits in widths.items():
        words |= np.array([int(value) for value in cycles[name]], object) << low
        low += bits
    (folder / f"trace_{number}.txt").write_text("\n".join(f"{word:x}" for word in words), "ascii")
    return PLAYER.format(
        number=number,
        width=low,
        rows=len(cycles),
        input_bits=sum(inputs.values()),
        output_bits=sum(outputs.values()),
        selector_bits=mutants.bit_length(),
        mutants=mutants,
        connections=", ".join([*_slices("inputs", inputs), *_slices("shown", outputs)]),
    )


def _slices(word: str, widths: Mapping[str, int]) -> list[str]:
    """Connections of ports to parts of a word, the first lowest."""
    ends = np.cumsum(list(widths.values())).tolist()
    return [f".{name}({word}[{end - 1}:{end - bits}])" for (name, bits), end in zip(widths.items(), ends, strict=True)]


def _mutation(pe: PE, number: int, faults: list[str], folder: Path) -> Mutation:
    original, *killed = (int(line) for line in (folder / f"killed_{number}.txt").read_text("ascii").split())
    if original:
        raise RuntimeError(f"the core of {pe} without a fault differs from its golden model")
    alive = [fault for fault, dead in zip(faults, killed, strict=True) if not dead]
    survivors = _unproven(pe, f"core_{number}", alive, folder)
    return Mutation(
        pe=str(pe),
        mutants=len(faults),
        killed=sum(killed),
        equivalent=len(alive) - len(survivors),
        survivors=tuple(survivors),
    )


def _unproven(pe: PE, core: str, faults: list[str], folder: Path) -> list[str]:
    """Those of ``faults`` for which there is no proof that the core does the same with them."""
    miters, proofs = [], []
    for number, fault in enumerate(faults):
        miter = f"miter_{number}.il"
        miters += [
            "design -reset",
            f"read_rtlil {core}.il",
            f"copy {core} mutant",
            fault.replace(f"-module {core} ", "-module mutant "),
            "dffunmap",
            "splitnets -driver",
            f"expose -shared -dff -evert-dff {core} mutant",
            f"miter -equiv -flatten -make_outputs {core} mutant miter",
            "hierarchy -top miter",
            f"write_rtlil {miter}",
        ]
        proofs += [
            "design -reset",
            f"read_rtlil {miter}",
            "opt -share_all",
            "log PROOF",
            f"sat -tempinduct -prove trigger 0 -maxsteps {pe.latency_cycles + 2} -timeout {SECONDS} miter",
        ]
    yosys(miters, folder)
    for number in range(len(faults)):
        path = folder / f"miter_{number}.il"
        path.write_text(_with_registers(path.read_text("utf-8")), "utf-8")
    _, *logs = yosys(proofs, folder).split("\nPROOF\n")
    return [fault for fault, log in zip(faults, logs, strict=True) if "proven: SUCCESS" not in log]


def _with_registers(miter: str) -> str:
    """The RTLIL of a miter whose registers are inputs and outputs, with those of the core put back for both sides.

    As both sides share their state, Yosys merges the logic that they have in common, and the proof is about the rest.
    """
    registers: list[str] = []

    def register(match: re.Match[str]) -> str:
        width, name = match.groups()
        parameters = f"parameter \\CLK_POLARITY 1\n    parameter \\WIDTH {width or 1}"
        connections = f"connect \\CLK \\in_clk\n    connect \\D \\gold_{name}.d\n    connect \\Q \\in_{name}.q"
        registers.append(f"  cell $dff $register_{len(registers)}\n    {parameters}\n    {connections}\n  end\n")
        return f"  wire width {width or 1} \\in_{name}.q"

    body = re.sub(r"^  wire (?:width (\d+) )?input \d+ \\in_(\S+)\.q$", register, miter, flags=re.MULTILINE)
    return body.removesuffix("end\n") + "".join(registers) + "end\n"


def main() -> None:
    """Print the scores of `UNITS`."""
    units = {PE.parse(text): pairs for text, pairs in UNITS.items()}
    traces = [(pe, check_trace(pe, pairs, np.random.default_rng(0))) for pe, pairs in units.items()]
    with TemporaryDirectory() as folder:
        done = mutate(traces, find("verilator"), Path(folder))
    rows = [{**asdict(one), "survivors": len(one.survivors), "score": f"{one.score:.1%}"} for one in done]
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
