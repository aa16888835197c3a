"""Replays of traces on simulated cores, against their golden models.

A harness around each core reads the inputs of each cycle from a file and writes what the core shows to another one, so
that the simulator runs without a call into Python per cycle. Cores that are replayed together are compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hwexplore.pe import PE
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.verilog import module_name, pe_verilog

__all__ = ["CONTROL", "Replay", "play", "replay"]

CONTROL = ("rst", "enable", "clear")
PLAYER = """\
module player_{number}(input clk, output reg done = 0);
  integer stimulus, response;
{declarations}
  {core} core(.clk(clk), {connections});
  initial begin
    stimulus = $fopen("stimulus_{number}.txt", "r");
    response = $fopen("response_{number}.txt", "w");
  end
  always @(negedge clk) if (!done) begin
    $fdisplay(response, "{shown}", {outputs});
    if ($fscanf(stimulus, "{pattern}\\n", {inputs}) != {count}) begin
      $fclose(response);
      done = 1;
    end
  end
endmodule
"""
HARNESS = """\
module harness(input clk, output done);
  wire [{last}:0] finished;
{players}
  assign done = &finished;
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of a replay.

    ``mismatches`` are the rows of the trace in which the core showed something else, in the columns ``... shown``, in
    hexadecimal. ``seconds`` is how long the simulator ran, with all the cores.
    """

    cycles: int
    mismatches: pd.DataFrame
    seconds: float


def replay(
    traces: Sequence[tuple[PE, pd.DataFrame]],
    simulator: Simulator,
    folder: Path,
    waves: bool = False,
    cores: str | None = None,
) -> list[Replay]:
    """Simulate the cores of different PEs together, each with the inputs of its trace, working in ``folder``.

    `hwexplore.rtl.vectors` makes traces. ``cores`` is Verilog with the modules that `pe_verilog` names; by default what
    it gives.
    """
    for number, (pe, trace) in enumerate(traces):
        columns = (trace[name].to_numpy().tolist() for name in (*CONTROL, *pe.ports))
        rows = (" ".join(f"{value:x}" for value in row) for row in zip(*columns, strict=True))
        (folder / f"stimulus_{number}.txt").write_text("\n".join(rows) + "\n", "ascii")
    pes = [pe for pe, _ in traces]
    (folder / "cores.v").write_text("".join(map(pe_verilog, pes)) if cores is None else cores, "utf-8")
    players = [_player(number, pe) for number, pe in enumerate(pes)]
    seconds = play(players, [folder / "cores.v"], simulator, folder, waves)
    return [
        Replay(
            cycles=len(trace),
            mismatches=_mismatches(trace, list(pe.outputs), folder / f"response_{number}.txt"),
            seconds=seconds,
        )
        for number, (pe, trace) in enumerate(traces)
    ]


def play(
    players: Sequence[str], cores: Sequence[Path], simulator: Simulator, folder: Path, waves: bool = False
) -> float:
    """Simulate the Verilog modules ``player_0``, ``player_1``, ... with their ``cores`` until all are ``done``.

    A player has the ports ``clk`` and ``done``. Returns the seconds that it took.
    """
    instances = (f"  player_{number} p{number}(clk, finished[{number}]);" for number in range(len(players)))
    harness = HARNESS.format(last=len(players) - 1, players="\n".join(instances))
    # The name of the file, without its folder, so that compilations of the same harness are found in caches.
    text = '`line 1 "harness.sv" 0\n' + "".join(players) + harness
    (folder / "harness.sv").write_text(text, "utf-8")
    return simulator.run(
        sources=[*cores, folder / "harness.sv"],
        top="harness",
        testbench=Path(__file__).with_name("testbench.py"),
        folder=folder,
        waves=waves,
        seen=("clk", "done"),
    )


def _mismatches(trace: pd.DataFrame, outputs: list[str], response: Path) -> pd.DataFrame:
    words = np.array(response.read_text("ascii").split()).reshape(-1, len(outputs))[: len(trace)]
    shown = pd.DataFrame(np.char.lstrip(words, "0"), columns=[f"{name} shown" for name in outputs])
    expected = [[f"{value:x}".lstrip("0") for value in trace[name].to_numpy().tolist()] for name in outputs]
    differs = (shown.to_numpy() != np.array(expected).T).any(axis=1) & trace["defined"].to_numpy()
    return trace.join(shown)[differs]


def _player(number: int, pe: PE) -> str:
    inputs = {**dict.fromkeys(CONTROL, 1), **pe.ports}
    declarations = [f"  reg [{bits - 1}:0] {name} = 0;" for name, bits in inputs.items()]
    declarations += [f"  wire [{bits - 1}:0] {name};" for name, bits in pe.outputs.items()]
    return PLAYER.format(
        number=number,
        core=module_name(pe),
        declarations="\n".join(declarations),
        connections=", ".join(f".{name}({name})" for name in (*inputs, *pe.outputs)),
        pattern=" ".join("%h" for _ in inputs),
        inputs=", ".join(inputs),
        count=len(inputs),
        shown=" ".join("%h" for _ in pe.outputs),
        outputs=", ".join(pe.outputs),
    )
