"""``hwexplore rtl``: Verilog of a processing element, and its simulation against the golden model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import typer

from hwexplore.cli.console import output, print_table
from hwexplore.cli.rtl_array import array
from hwexplore.errors import InputError
from hwexplore.pe import PE

__all__ = ["app"]

app = typer.Typer(help="Generate and simulate the RTL of processing elements and arrays.", no_args_is_help=True)
app.command()(array)

Element = Annotated[str, typer.Argument(metavar="PE", help="As in 'mac(int8, int8, acc=int32)'.")]
SHOWN = 10


@app.command()
def generate(
    pe: Element,
    out: Annotated[Path, typer.Option("-o", "--out", help="Verilog file to write.")],
) -> None:
    """Write the Verilog of a processing element's bare core.

    Example: hwexplore rtl generate "mac(int8, int8, acc=int32)" -o mac.v
    """
    from hwexplore.rtl.verilog import module_name, pe_verilog

    unit = PE.parse(pe)
    _write(out, pe_verilog(unit).encode())
    output.print(f"wrote module {module_name(unit)} to {out}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def simulate(
    pe: Element,
    simulator: Annotated[Literal["verilator", "icarus"], typer.Option(help="Which simulator runs it.")] = "verilator",
    vectors: Annotated[int, typer.Option(min=1, help="Operand pairs, at least.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the operands.")] = 0,
    verilog: Annotated[
        Path | None, typer.Option(help="Verilog of the core to simulate, such as one checked in; by default generated.")
    ] = None,
    waves: Annotated[Path | None, typer.Option(help="Waveforms: FILE.vcd of Verilator, FILE.fst of Icarus.")] = None,
) -> None:
    """Simulate random operands, pauses and resets; exit code 1 if a cycle differs from the golden model.

    Example: hwexplore rtl simulate "mac(e4m3, e4m3, acc=fp32)" --vectors 100000
    """
    from hwexplore.rtl.replay import replay
    from hwexplore.rtl.simulator import find
    from hwexplore.rtl.vectors import check_trace
    from hwexplore.rtl.verilog import module_name

    unit = PE.parse(pe)
    tool = find(simulator)
    if waves is not None and waves.suffix != tool.waves_suffix:
        raise InputError(f"waves {waves} has suffix {waves.suffix!r}; {simulator} writes {tool.waves_suffix}")
    cores = None if verilog is None else _read(verilog, module_name(unit))
    rng = np.random.default_rng(seed)
    cycles = check_trace(unit, vectors, rng)
    with TemporaryDirectory() as folder:
        [done] = replay([(unit, cycles)], tool, Path(folder), waves=waves is not None, cores=cores)
        if waves is not None:
            _write(waves, tool.waves_file(Path(folder), "harness").read_bytes())
    output.print(
        f"{unit} on {tool.name} {tool.version}: {done.cycles:,} cycles, {len(done.mismatches):,} mismatches, "
        f"{done.cycles / done.seconds:,.0f} cycles/s",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if len(done.mismatches):
        rows = done.mismatches.head(SHOWN).drop(columns="defined").reset_index(names="cycle").map(_text)
        print_table(f"the first {len(rows)} mismatches", list(map(str, rows)), rows.to_numpy().tolist())
        raise typer.Exit(1)


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(int(value)) if isinstance(value, bool) else f"{value:x}"


def _read(path: Path, module: str) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"verilog {path} cannot be read: {getattr(error, 'strerror', 'it is not text')}") from error
    if f"module {module}(" not in text:
        raise InputError(f"verilog {path} has no module {module}; hwexplore rtl generate writes one")
    return text


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"output {path} cannot be written: {error.strerror}") from error
