"""``hwexplore fpga``: a systolic array as a core for an FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.cli.console import output as console
from hwexplore.formats import Format
from hwexplore.pe import PE

__all__ = ["app"]

app = typer.Typer(help="Put a systolic array onto an FPGA.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def build(
    pe: Annotated[str, typer.Option(help="As in 'mac(int8, int8, acc=int32)'.")],
    rows: Annotated[int, typer.Option(help="Rows of PEs.")],
    cols: Annotated[int, typer.Option(help="Columns of PEs.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")],
    dataflow: Annotated[Literal["os", "ws"], typer.Option(help="Stationary operand: outputs or weights.")] = "os",
    depth: Annotated[int, typer.Option(help="Tiles of the streaming dimension in half of the operand memory.")] = 64,
    bus_bits: Annotated[int, typer.Option(help="Bits of a word of the operands' stream.")] = 128,
    output: Annotated[
        str | None, typer.Option(help="Format that the vector unit gives results; without it, sums leave as they are.")
    ] = None,
    memory_bits: Annotated[int, typer.Option(help="Bits of the port to memory; results come no wider.")] = 128,
) -> None:
    """Write the Verilog of an array behind AXI, and the table of registers that its driver reads.

    Example: hwexplore fpga build --pe "mac(int8, int8, acc=int32)" --rows 16 --cols 16 --output int8 --out overlay
    """
    from hwexplore.fpga.build import TOP
    from hwexplore.fpga.build import build as build_core
    from hwexplore.fpga.overlay import Overlay

    array = SystolicArray(
        pe=PE.parse(pe),
        rows=rows,
        cols=cols,
        dataflow=dataflow,
        depth=depth,
        bus_bits=bus_bits,
        output=None if output is None else Format.parse(output),
    )
    made = build_core(Overlay(array=array, memory_bits=memory_bits))
    for path in made.write(out):
        _print(f"wrote {path}")
    _print(f"module {TOP}, build {made.hash:016x}")


@app.command()
def package(
    folder: Annotated[Path, typer.Argument(help="That of 'hwexplore fpga build'.")],
    bitfile: Annotated[Path, typer.Argument(help="The bitstream, with its .hwh beside it.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the wheel.")] = Path("."),
    name: Annotated[str, typer.Option(help="Of the Python package.")] = "hwexplore_overlay",
) -> None:
    """Make the wheel for the board: overlay and driver, which need NumPy and pynq alone.

    Example: hwexplore fpga package overlay overlay/hwexplore_gemm.bit --out dist
    """
    from hwexplore.fpga.package import package as make

    _print(f"wrote {make(folder, bitfile, out, name)}")


@app.command(context_settings={"ignore_unknown_options": True})
def simulate(
    folder: Annotated[Path, typer.Argument(help="That of 'hwexplore fpga build'.")],
    command: Annotated[list[str], typer.Argument(help="A program that uses the driver, and its arguments.")],
) -> None:
    """Run a program on the simulated core instead of a board, in the environment where pynq is.

    FOLDER/simulated gets the .bit, .hwh and .json that the program loads.

    Example: hwexplore fpga simulate overlay board/bin/python program.py
    """
    from hwexplore.fpga.simulated.server import read_build, run, write_overlay
    from hwexplore.rtl.simulator import find

    made, simulator = read_build(folder), find("verilator")
    _print(f"wrote {write_overlay(made, folder / 'simulated')}")
    ran = run(made, command, folder=folder / "simulated" / "sim", simulator=simulator)
    typer.echo(ran.stdout, nl=False)
    typer.echo(ran.stderr, nl=False, err=True)
    raise typer.Exit(ran.returncode)


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
