"""Products on simulated arrays: what comes out, and for how many cycles they are busy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.rtl.gemm import gemm_modules
from hwexplore.rtl.replay import play
from hwexplore.rtl.simulator import Simulator

__all__ = ["Done", "Product", "multiply"]

ALWAYS = 256
PATIENCE = 10_000_000
"""Cycles after which a product counts as stuck."""
PLAYER = """\
module player_{number}(input clk, output reg done = 0);
  integer stimulus, response, words, producer, consumer, breaks, cycles;
  reg running = 0, taken;
  reg rst = 1, start = 0, words__valid = 0, results__ready = 0;
  reg [15:0] m, n, k;
  reg [{word_bits}-1:0] words__payload;
  wire [{result_bits}-1:0] results__payload;
  wire busy, loading, words__ready, results__valid;
  gemm_{number} gemm(.*);
  initial begin
    stimulus = $fopen("stimulus_{number}.txt", "r");
    response = $fopen("response_{number}.txt", "w");
  end
  // What is set here, and ready or valid here, is transferred at the next rising edge.
  always @(negedge clk) if (!done) begin
    if (running && !start && !busy) begin
      $fdisplay(response, "cycles %0d", cycles);
      running = 0;
    end
    rst = 0;
    start = 0;
    if (!running) begin
      if ($fscanf(stimulus, "%d %d %d %d %d %d %d\\n", m, n, k, words, producer, consumer, breaks) == 7) begin
        running = 1;
        start = 1;
        cycles = 0;
        taken = 1;
      end else begin
        $fclose(response);
        done = 1;
      end
    end else begin
      cycles = cycles + 1;
      if (cycles == {patience}) begin
        $fclose(response);
        done = 1;
      end
      if (taken) begin
        words__valid = words > 0 && $urandom % {always} < producer;
        if (words__valid) begin
          words = words - $fscanf(stimulus, "%h\\n", words__payload);
        end
      end
      taken = !words__valid || words__ready;
      results__ready = $urandom % {always} < consumer;
      if (results__valid && results__ready) $fdisplay(response, "%h", results__payload);
      if (cycles == breaks) begin
        rst = 1;
        words__valid = 0;
        while (words > 0) words = words - $fscanf(stimulus, "%h\\n", words__payload);
      end
    end
  end
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product of ``sizes`` (m, n, k), in tiles of the PE, from the ``words`` of its stream.

    In a share of ``producer`` of 256 cycles a word is offered, in one of ``consumer`` a result is taken. After
    ``breaks`` cycles, if that is not 0, it is broken off by a reset.
    """

    sizes: tuple[int, int, int]
    words: NDArray[np.uint8]
    producer: int = ALWAYS
    consumer: int = ALWAYS
    breaks: int = 0


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a product: the words that streamed out, bytes, and the ``cycles`` that it was busy."""

    words: NDArray[np.uint8]
    cycles: int


def multiply(
    products: Sequence[tuple[SystolicArray, Sequence[Product]]], simulator: Simulator, folder: Path
) -> tuple[list[list[Done]], float]:
    """Simulate arrays together, each with its products, working in ``folder``; also the seconds that it took.

    RuntimeError if an array gets stuck.
    """
    players = []
    for number, (array, its) in enumerate(products):
        lines = []
        for one in its:
            words = [word[::-1].tobytes().hex() for word in one.words]
            lines += [
                f"{' '.join(map(str, one.sizes))} {len(words)} {one.producer} {one.consumer} {one.breaks}",
                *words,
            ]
        (folder / f"stimulus_{number}.txt").write_text("\n".join(lines) + "\n", "ascii")
        result_bits = array.cols * array.result_bits
        players.append(
            PLAYER.format(
                number=number, word_bits=array.bus_bits, result_bits=result_bits, always=ALWAYS, patience=PATIENCE
            )
        )
    modules: dict[str, str] = {}
    for number, (array, _) in enumerate(products):
        modules.update(gemm_modules(array, f"gemm_{number}"))
    (folder / "gemms.v").write_text("".join(modules.values()), "utf-8")
    seconds = play(players, [folder / "gemms.v"], simulator, folder)
    done = [
        _done(folder / f"response_{number}.txt", -(-array.cols * array.result_bits // 8))
        for number, (array, _) in enumerate(products)
    ]
    for (array, its), of_array in zip(products, done, strict=True):
        if len(of_array) < len(its):
            raise RuntimeError(f"product {len(of_array)} on {array} is not done after {PATIENCE} cycles")
    return done, seconds


def _done(response: Path, result_bytes: int) -> list[Done]:
    done, words = [], bytearray()
    for line in response.read_text("ascii").splitlines():
        if not line.startswith("cycles"):
            words += int(line, 16).to_bytes(result_bytes, "little")
            continue
        shown = np.frombuffer(words, np.uint8).reshape(-1, result_bytes)
        done.append(Done(words=shown, cycles=int(line.removeprefix("cycles "))))
        words = bytearray()
    return done
