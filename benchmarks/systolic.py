"""Speed of a simulated array, driven with a word of operands in every cycle that it takes one, under Verilator.

Prints cycles/s of the simulator alone and with compilation, and how busy the PEs were.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.rtl.gemm_replay import Product, multiply
from hwexplore.rtl.simulator import find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pe", default="mac(int8, int8, acc=int32)")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--cols", type=int, default=16)
    parser.add_argument("--dataflow", default="os")
    parser.add_argument("--size", type=int, nargs=3, default=(256, 256, 1024), metavar=("M", "N", "K"))
    parser.add_argument("--bus-bits", type=int, default=256)
    parser.add_argument("--output", default="int8", help="format of the results; none for sums")
    options = parser.parse_args()
    pe = PE.parse(options.pe)
    output = None if options.output == "none" else Format.parse(options.output)
    array = SystolicArray(
        pe=pe,
        rows=options.rows,
        cols=options.cols,
        dataflow=options.dataflow,
        depth=256,
        bus_bits=options.bus_bits,
        output=output,
    )
    m, n, k = options.size
    rng = np.random.default_rng(0)
    weights, activations = (
        format.encode(20 * rng.standard_normal((rows, k))) for format, rows in ((pe.weight, n), (pe.activation, m))
    )
    unit = array.vector_unit
    parameters = None if unit is None else unit.parameters(np.full(n, 2.0**-10))
    expected = pe.golden(weights, activations)
    if unit is not None:
        expected = unit.golden(expected, parameters)
    product = Product(sizes=array.sizes(m, n, k), words=streams.words(array, weights, activations, parameters))
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        [[done]], seconds = multiply([(array, [product])], find("verilator"), Path(folder))
    compiling = time.perf_counter() - start - seconds
    results = streams.results(array, done.words, m, n)
    assert (results == expected).all(), "the array is wrong"
    assert done.cycles == array.cycles(m, n, k), "the model of its cycles is wrong"
    useful = m * n * k / pe.macs_per_cycle / array.rows / array.cols / done.cycles
    print(f"{array.rows} x {array.cols} {pe}, {array.dataflow}: {m} x {n} x {k} in {done.cycles:,} cycles")
    print(f"PEs busy in {useful:.0%} of them; {len(product.words):,} words of {array.bus_bits} bits")
    print(f"compiled in {compiling:.1f} s, simulated in {seconds:.2f} s: {done.cycles / seconds:,.0f} cycles/s")


if __name__ == "__main__":
    main()
