"""``hwexplore calibrate fpga``: synthesise PEs for FPGAs, and fit what the bills of hardware cost there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hwexplore.cli.console import errors, output, print_table, progress_bar
from hwexplore.pe import PE
from hwexplore.pe.dsp import multipliers
from hwexplore.technology.device import load

__all__ = ["app"]

app = typer.Typer(help="LUTs, flip-flops and DSP blocks of PEs on FPGAs.", no_args_is_help=True)

DeviceName = Annotated[Literal["zcu104", "ecp5_85f"], typer.Option(help="FPGA device.")]


@app.command()
def run(
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet table to write, a row per synthesis.")],
    cache: Annotated[Path, typer.Option(help="Folder that keeps each result; what is in it is not run again.")],
    device: DeviceName = "zcu104",
    pe: Annotated[
        list[str], typer.Option(help="Processing element to synthesise instead of the population; repeat for several.")
    ] = [],  # noqa: B006
    small: Annotated[bool, typer.Option("--small", help="Only the small population.")] = False,
    dsp: Annotated[
        bool, typer.Option("--dsp", help="With DSP blocks, the PEs of which a multiplier goes into one.")
    ] = False,
    recipe: Annotated[Literal["booth", "plain"], typer.Option(help="How multipliers are made of LUTs.")] = "booth",
    jobs: Annotated[int, typer.Option(help="Syntheses at a time; -1 for all cores.")] = -1,
) -> None:
    """Synthesise processing elements; counts are those of Yosys (and nextpnr), not of Vivado.

    Example: hwexplore calibrate fpga run --small --cache fpga_cache --out fpga.parquet
    """
    from hwexplore.calibration.fpga import Run
    from hwexplore.calibration.fpga_runs import synthesise
    from hwexplore.calibration.population import population
    from hwexplore.calibration.tables import write

    pes = [PE.parse(text) for text in pe] or list(population(small))
    if dsp:
        takes = load(device).dsp_rule.takes
        pes = [unit for unit in pes if any(map(takes, multipliers(unit)))]
    runs = [Run(unit, device, dsp, recipe) for unit in pes]
    with progress_bar() as bar:
        task = bar.add_task(f"syntheses for {device}", total=len(runs))
        table, failures = synthesise(runs, cache, jobs, lambda done: bar.advance(task))
    for failed, reason in failures.items():
        errors.print(f"{failed.pe}: {reason}", markup=False, highlight=False, soft_wrap=True)
    write(table, out)
    output.print(f"wrote {len(table)} of {len(runs)} syntheses to {out}", markup=False, highlight=False, soft_wrap=True)
    if failures:
        raise typer.Exit(1)


@app.command()
def fit(
    device: DeviceName = "zcu104",
    table: Annotated[
        Path | None, typer.Option(help="Parquet table of syntheses; by default the one that ships with hwexplore.")
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print the table of coefficients of a device's file.")] = False,
) -> None:
    """Fit LUTs to bills of hardware and show the errors on held-out PEs.

    Example: hwexplore calibrate fpga fit --device zcu104
    """
    from hwexplore.calibration.fpga_fit import fit as fit_luts
    from hwexplore.calibration.fpga_runs import read
    from hwexplore.calibration.tables import shipped

    result = fit_luts(shipped("fpga") if table is None else read(table), device)
    if toml:
        typer.echo(result.to_toml(), nl=False)
        return
    held_out = result.residuals[result.residuals["held_out"]]
    rows = [
        [str(row.pe), f"{row.lut:g}", f"{row.predicted:.0f}", f"{row.error:+.1%}"]
        for row in held_out.reindex(held_out["error"].abs().sort_values(ascending=False).index).itertuples()
    ]
    title = f"{device}, LUTs by Yosys: {result.mape():.1%} mean error on {len(held_out)} held-out syntheses"
    print_table(title, ["pe", "LUTs", "predicted", "error"], rows)
