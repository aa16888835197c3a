"""Entry point: assembles the commands and turns bad input into one sentence and exit code 2."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import hwexplore
from hwexplore.cli import calibrate, catalogues, quality, rtl, workloads
from hwexplore.cli.claims import claims
from hwexplore.cli.console import errors
from hwexplore.cli.explain import explain
from hwexplore.cli.explore import explore
from hwexplore.cli.roofline import roofline
from hwexplore.cli.serving import serving
from hwexplore.cli.utilisation import utilisation
from hwexplore.cli.verify import verify
from hwexplore.errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Which number format on which hardware: models, RTL and Pareto search for AI accelerators.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(explore)
app.command()(explain)
app.command()(roofline)
app.command()(serving)
app.command()(utilisation)
app.command()(verify)
app.command()(claims)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(quality.app, name="quality")
app.add_typer(rtl.app, name="rtl")
app.add_typer(workloads.app, name="workloads")
for name, catalogue in catalogues.APPS.items():
    app.add_typer(catalogue, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hwexplore {hwexplore.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="hwexplore")
    except InputError as error:
        errors.print(f"hwexplore: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
