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
    board: Annotated[
        Literal["zcu104"] | None, typer.Option(help="Board for which to write a script for Vivado, too.")
    ] = None,
    clock_mhz: Annotated[float, typer.Option(help="Clock of the core on the board in MHz.")] = 100.0,
) -> None:
    """Write the Verilog of an array behind AXI, and the table of registers that its driver reads.

    With --board, vivado -mode batch -source build.tcl makes the bitstream of it.

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
    if board is None:
        written = made.write(out)
    else:
        from hwexplore.fpga.block_design import zcu104
        from hwexplore.fpga.vivado import write

        written = write(made, zcu104(made.overlay, clock_mhz), out)
    for path in written:
        _print(f"wrote {path}")
    _print(f"module {TOP}, build {made.hash:016x}")


@app.command()
def check_hwh(
    file: Annotated[Path, typer.Argument(help="The .hwh that Vivado wrote.")],
    prediction: Annotated[Path | None, typer.Option(help="The one to be expected; predicted.hwh beside it.")] = None,
) -> None:
    """Say where a hardware hand-off of Vivado is not as predicted; exit code 1 if it is not.

    Example: hwexplore fpga check-hwh overlay/hwexplore.hwh
    """
    from hwexplore.fpga.checking import check_hwh as found

    _report(found(file, prediction), f"{file} is as predicted")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Written by hwexplore fpga build --board.")],
    fit: Annotated[bool, typer.Option(help="Synthesise with Yosys to see whether it fits; takes minutes.")] = True,
) -> None:
    """Check that the files of an overlay belong together, and that the core fits; exit code 1 if not.

    Example: hwexplore fpga check overlay
    """
    from hwexplore.fpga.build import TOP
    from hwexplore.fpga.checking import problems, read
    from hwexplore.fpga.fit import resources, too_much

    found = problems(folder)
    if fit:
        taken = resources(read(folder / f"{TOP}.v"))
        _print(", ".join(f"{count:g} {name}" for name, count in taken.items()))
        found += too_much(taken)
    _report(found, f"{folder} is in order")


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


def _report(sentences: list[str], otherwise: str) -> None:
    for sentence in sentences or [otherwise]:
        _print(sentence)
    if sentences:
        raise typer.Exit(1)


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
