"""``hwexplore explore``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from hwexplore import report
from hwexplore import technology as technologies
from hwexplore.cli.console import errors, output, print_json, print_line, progress_bar
from hwexplore.cli.front import print_front, print_likely
from hwexplore.cli.options import (
    Batch,
    Context,
    Dims,
    ExpertSkew,
    FidelityOption,
    Fuse,
    OperandsOption,
    Phase,
    SpaceFile,
    TechnologyName,
    load_network,
    load_space,
    parse_dims,
)
from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search import (
    OBJECTIVES,
    Backend,
    DesignFolder,
    Front,
    Problem,
    backend,
    branch_and_bound,
    check_draws,
    evolve,
    likely_front,
    mixed_space,
    optimise,
    space_schema,
)
from hwexplore.search import explore as evaluate_all

__all__ = ["explore"]

Search = Literal["exhaustive", "exact", "nsga2", "nsga3", "bayesian"]
HEURISTICS: dict[str, Callable[..., Front]] = {
    "nsga2": evolve,
    "nsga3": partial(evolve, method="nsga3"),
    "bayesian": optimise,
}


def _print_schema(wanted: bool) -> None:
    if wanted:
        print_json(space_schema())
        raise typer.Exit


def explore(
    workload: Annotated[str, typer.Argument(help="Catalogue name (see 'hwexplore workloads list') or a file.")],
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = 2048,
    dim: Dims = [],  # noqa: B006
    fuse: Fuse = [],  # noqa: B006
    expert_skew: ExpertSkew = 0,
    technology: TechnologyName = "nangate45",
    space: SpaceFile = None,
    objective: Annotated[list[str], typer.Option(help="Metric of the front; repeat for several.")] = list(OBJECTIVES),  # noqa: B006
    constraint: Annotated[list[str], typer.Option(help="As in 'area_mm2 < 50' or 'rows * cols <= 4096'.")] = [],  # noqa: B006
    fidelity: FidelityOption = "tile",
    operands: OperandsOption = "gaussian",
    quality: Annotated[
        Path | None,
        typer.Option(
            help="Profile of the network (docs/mixed_precision.md): its predicted loss is the error, by layer."
        ),
    ] = None,
    mixes: Annotated[int, typer.Option(help="With --quality, mixed policies per front of a PE.")] = 8,
    out: Annotated[
        list[Path],
        typer.Option(
            help="FILE.html for a report, FOLDER.parquet for every evaluated design, chunk by chunk (of an exact or "
            "heuristic search, those of the front); repeat for both."
        ),
    ] = [],  # noqa: B006
    how: Annotated[
        Search,
        typer.Option(
            "--search",
            help="Evaluate every design, find the same front by branch and bound, or most of it with few evaluations.",
        ),
    ] = "exhaustive",
    evaluations: Annotated[
        int | None, typer.Option(help="Most evaluations of a heuristic search; without it see docs/heuristics.md.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of a heuristic search; 0 without it.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="FILE.parquet for the boxes that prove the front of an exact search.")
    ] = None,
    draws: Annotated[
        int,
        typer.Option(help="Joint draws of the coefficients: which designs may be on the true front; 0 for none."),
    ] = 0,
    margin: Annotated[float, typer.Option(help="With --draws, the factor behind the front that is looked at.")] = 1.2,
    resume: Annotated[bool, typer.Option("--resume", help="Take the designs that --out FOLDER.parquet has.")] = False,
    jobs: Annotated[
        int, typer.Option(help="Chunks evaluated at a time; -1 for all cores. A Dask cluster uses all of its own.")
    ] = -1,
    workers: Annotated[
        Backend,
        typer.Option(
            "--backend", help="What evaluates the chunks: threads or processes here, or a Dask or Ray cluster."
        ),
    ] = "threads",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the cluster's scheduler, as in tcp://host:8786, or its JSON file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole front as JSON.")] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--space-schema", callback=_print_schema, is_eager=True, help="Print the JSON Schema of space files."
        ),
    ] = False,
) -> None:
    """Search a design space and print its Pareto front.

    Example: hwexplore explore llama-2-7b --phase decode --constraint "area_mm2 < 50" --out report.html
    """
    dims = parse_dims(dim)
    profile = None if quality is None else Profile.read(quality)
    network = load_network(workload, phase, batch, context, dims, fuse, expert_skew, per_layer=profile is not None)
    designs = load_space(space)
    if profile is not None:
        mixed = mixed_space(designs, network, technologies.load(technology), profile, mixes)
        designs = mixed.space
        for what in mixed.left_out:
            print_line(f"left out: {what}", errors)
    designs = designs.restricted(constraint)
    pages, tables = _sorted_outputs(out)
    if resume and not tables:
        raise InputError("--resume goes on with the designs in a folder; name it by --out FOLDER.parquet")
    if how != "exhaustive" and resume:
        raise InputError(f"--resume goes on with an exhaustive search; leave it out, or --search {how}")
    if how == "exact" and fidelity != "tile":
        raise InputError(f"an exact search is one of tiles; leave out --fidelity {fidelity}, or --search exact")
    if how != "exhaustive" and workers != "threads":
        raise InputError(f"--search {how} runs in threads; leave out --backend {workers}, or --search {how}")
    if how != "exact" and certificate is not None:
        raise InputError(f"--search {how} gives no certificate; leave it out, or take --search exact")
    heuristic = how not in ("exhaustive", "exact")
    if not heuristic and (evaluations, seed) != (None, None):
        raise InputError(f"--search {how} has no evaluations and no seed to choose; take {', '.join(HEURISTICS)}")
    if how != "exhaustive" and draws:
        raise InputError(f"--draws looks at every design near the front; leave it out, or --search {how}")
    if draws:
        check_draws(draws, margin)
    folder = DesignFolder(tables[0], resume) if tables else None
    problem = Problem(designs, network, technologies.load(technology), fidelity, operands, profile)
    if folder is not None and how != "exhaustive":
        folder.begin(problem, chunk=0)
    with backend(workers, scheduler), progress_bar() as bar:
        task = bar.add_task("designs", total=designs.size if how == "exact" else designs.permitted)

        def progress(done: int, of: int | None = None) -> None:
            bar.update(task, completed=done, total=of)

        if heuristic:
            front = HEURISTICS[how](problem, objective, evaluations, seed=seed or 0, progress=progress)
        else:
            search = branch_and_bound if how == "exact" else partial(evaluate_all, fidelity=fidelity, designs=folder)
            front = search(
                designs,
                network,
                objective,
                technology=technology,
                progress=progress,
                jobs=jobs,
                operands=operands,
                quality=profile,
            )
    if certificate is not None and front.certificate is not None:
        front.certificate.write(certificate)
        print_line(f"wrote {certificate}", errors if json else output)
    if folder is not None:
        if how != "exhaustive":
            folder.keep(front)
        folder.close({**_metadata(front, workload, dims, quality), "seconds": front.seconds})
        for name in folder.damaged:
            print_line(f"{folder.path / name} was damaged: removed, its designs evaluated again", errors)
        if resume:
            print_line(f"{folder.reused:,} designs were in {folder.path} already", errors)
    likely = None
    if draws and front.complete:
        with progress_bar() as bar:
            task = bar.add_task("draws", total=draws)
            likely = likely_front(front, draws, margin, jobs, lambda done: bar.update(task, completed=done))
    if json:
        print_json(
            {**_metadata(front, workload, dims, quality), "designs": (likely or front).to_frame().to_dict("records")}
        )
    else:
        print_front(front)
        if likely is not None:
            print_likely(likely)
    for path in out if len(front) else []:
        if path in pages:
            report.write_report(front, path, likely)
        print_line(f"wrote {path}", errors if json else output)
    if front.interrupted:
        raise typer.Exit(130)


def _sorted_outputs(out: list[Path]) -> tuple[list[Path], list[Path]]:
    pages = [path for path in out if path.suffix in (".html", ".htm")]
    tables = [path for path in out if path.suffix == ".parquet"]
    for path in out:
        if path not in pages and path not in tables:
            raise InputError(f"output {path} has suffix {path.suffix!r}; known: .html and .parquet")
        if not path.parent.is_dir():
            raise InputError(f"output {path} cannot be written: there is no folder {path.parent}")
        if path in pages and path.is_dir():
            raise InputError(f"output {path} cannot be written: it is a folder")
        if path in tables and path.is_file():
            raise InputError(f"output {path} is a file; designs go into a folder of Parquet files, name another")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise InputError(f"output {path} cannot be written: permission denied")
    if len(tables) > 1:
        raise InputError(f"two Parquet outputs, {tables[0]} and {tables[1]}; one holds every design")
    return pages, tables


def _metadata(front: Front, workload: str, dims: dict[str, int], quality: Path | None) -> dict[str, object]:
    problem = front.problem
    return {
        "space": problem.space.to_toml(),
        "workload": workload,
        "phase": problem.workload.phase,
        "batch": problem.workload.batch,
        "context": problem.workload.context,
        "dims": dims,
        "fuse": list(problem.workload.fused),
        "expert_skew": problem.workload.expert_skew,
        "technology": problem.technology.name,
        "fidelity": problem.fidelity,
        "operands": problem.operands,
        "quality": None if quality is None else str(quality.resolve()),
        "objectives": list(front.objectives),
        "constraints": [str(constraint) for constraint in front.constraints],
        "front": front.ids.tolist(),
        "complete": front.complete,
        "evaluated": front.evaluated,
        "feasible": front.feasible,
        "heuristic": None if front.heuristic is None else asdict(front.heuristic),
    }
