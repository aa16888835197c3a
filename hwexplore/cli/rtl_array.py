"""``hwexplore rtl array``: Verilog of a systolic array, and a product on it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import typer

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.cli.console import output as console
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.pe.vector_unit import Requantizer, Rescaler
from hwexplore.writing import write_whole

__all__ = ["array"]

MODULE = "gemm"
SCALE = 2.0**-4
"""Of the results of a simulated product."""


def array(
    pe: Annotated[str, typer.Argument(metavar="PE", help="As in 'mac(int8, int8, acc=int32)'.")],
    rows: Annotated[int, typer.Option(help="Rows of PEs.")],
    cols: Annotated[int, typer.Option(help="Columns of PEs.")],
    dataflow: Annotated[Literal["os", "ws"], typer.Option(help="Stationary operand: outputs or weights.")] = "os",
    depth: Annotated[int, typer.Option(help="Tiles of the streaming dimension in half of the operand memory.")] = 64,
    bus_bits: Annotated[int, typer.Option(help="Bits of a word of the operands' stream.")] = 64,
    output: Annotated[
        str | None, typer.Option(help="Format that the vector unit gives results; without it, sums leave as they are.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Verilog file to write.")] = None,
    product: Annotated[
        tuple[int, int, int] | None, typer.Option(metavar="M N K", help="Simulate a random product of this size.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the product's operands.")] = 0,
) -> None:
    """Write a systolic array with its memories, and hold one product on it against golden model and cycle count.

    Example: hwexplore rtl array "mac(int8, int8, acc=int32)" --rows 4 --cols 4 -o gemm.v --product 10 20 30
    """
    from hwexplore.rtl.gemm import gemm_modules

    if out is None and product is None:
        raise InputError("nothing to do: name a Verilog file with --out, a product to simulate with --product, or both")
    format = None if output is None else Format.parse(output)
    described = SystolicArray(
        pe=PE.parse(pe), rows=rows, cols=cols, dataflow=dataflow, depth=depth, bus_bits=bus_bits, output=format
    )
    if out is not None:
        write_whole(out, "".join(gemm_modules(described, MODULE).values()))
        _print(f"wrote module {MODULE} to {out}")
    if product is not None and not _holds(described, *product, seed):
        raise typer.Exit(1)


def _holds(described: SystolicArray, m: int, n: int, k: int, seed: int) -> bool:
    """Whether a random product on the simulated array is what the models say."""
    from hwexplore.rtl.gemm_replay import Product, multiply
    from hwexplore.rtl.simulator import find

    for name, size in (("m", m), ("n", n), ("k", k)):
        if size < 1:
            raise InputError(f"{name} = {size} of the product must be at least 1")
    pe, unit, rng = described.pe, described.vector_unit, np.random.default_rng(seed)
    sizes, tool = described.sizes(m, n, k), find("verilator")
    weights, activations = (
        format.encode(rng.standard_normal((rows, k)) * min(4.0, port.format.max / 2))
        for rows, format, port in ((n, pe.weight, pe.weight_port), (m, pe.activation, pe.activation_port))
    )
    expected, parameters = pe.golden(weights, activations), None
    if isinstance(unit, Requantizer | Rescaler):
        parameters = unit.parameters(np.full(n, SCALE))
        expected = unit.golden(expected, parameters)
    one = Product(sizes=sizes, words=streams.words(described, weights, activations, parameters))
    with TemporaryDirectory() as folder:
        [[done]], _ = multiply([(described, [one])], tool, Path(folder))
    different = int((streams.results(described, done.words, m, n) != expected).sum())
    model = int(described.cycles(m, n, k))
    _print(
        f"{m} x {n} x {k} on {described.rows} x {described.cols} {pe}, {described.dataflow}: {different} of {m * n} "
        f"results differ, {done.cycles:,} cycles, {model:,} in the model"
    )
    return different == 0 and done.cycles == model


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
