"""Synthesis of one PE on one node: cached by content, so that a calibration resumes where it was stopped."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from hwexplore.calibration.cells import Cells, compile_cells
from hwexplore.calibration.liberty import read_liberty
from hwexplore.calibration.netlist import Netlist, read_netlist
from hwexplore.calibration.synthesis import (
    RECIPES,
    RESTRUCTURED,
    SCRIPTS,
    Mapping,
    elaborate,
    full_adder,
    lean_liberty,
    map_to_cells,
)
from hwexplore.calibration.timing import Timing, analyse
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.rtl.verilog import pe_verilog
from hwexplore.writing import write_whole

__all__ = ["AVOIDED", "CLOCK", "TARGETS", "Chosen", "Node", "recipes_elsewhere", "synthesise"]

AVOIDED = {"asap7": ("*xp*", "*x1p*")}
"""Cells that are not used, by node: ASAP7's third- and half-strength ones, as in OpenROAD's flow."""

TARGETS = {"relaxed": None, "2x": 2.0, "1.2x": 1.2}
"""Period targets in units of the shortest period found; ``relaxed`` is any."""

CLOCK = "clock"
"""The target that is a period of its own."""

TIGHTER = 0.93
"""What ABC works towards, in units of a target: its own delays are without slopes of ports and by one wire a pin."""

SKETCHED = 3
"""Of all recipes, so many of the smallest go on."""


@dataclass(frozen=True)
class Node:
    """A process node to synthesise on: the Liberty files of its cells, where synthesis keeps its files, and cells to
    avoid."""

    name: str
    liberty: tuple[Path, ...]
    folder: Path
    avoid: tuple[str, ...] = ()

    @property
    def cells(self) -> Cells:
        """Its cells."""
        return _library(self).cells

    @property
    def key(self) -> str:
        """What depends on the library, in a few letters."""
        return _library(self).key

    @property
    def library(self) -> Path:
        """The library's file for synthesis."""
        return _library(self).path

    @property
    def adders(self) -> Path | None:
        """The techmap of its full adder, if it has one."""
        return _library(self).adders


@dataclass(frozen=True)
class _Library:
    cells: Cells
    key: str
    path: Path
    adders: Path | None


@lru_cache
def _library(node: Node) -> _Library:
    """The files of a node's library, written where they are not yet."""
    cells = _cells(node.liberty, node.avoid)
    lean, adders = lean_liberty(cells), full_adder(cells)
    key = _digest(lean, json.dumps([RECIPES, SCRIPTS, RESTRUCTURED, TARGETS, TIGHTER, version("pyosys")]))
    folder = node.folder / node.name / key
    written = None if adders is None else _written(folder / "adders.v", adders)
    return _Library(cells, key, _written(folder / "cells.lib", lean), written)


@lru_cache
def _cells(liberty: tuple[Path, ...], avoid: tuple[str, ...]) -> Cells:
    return compile_cells(read_liberty(*liberty), avoid)


def _written(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    write_whole(path, text)
    return path


@dataclass(frozen=True)
class Chosen:
    """The netlist that won a target; area, delay and later energy are those of this one netlist."""

    pe: str
    node: str
    target: str
    period_target_ps: float | None
    period_ps: float
    shortest_ps: float
    area_um2: float
    leakage_uw: float
    mapping: str
    file: str


def synthesise(
    pe: PE,
    node: Node,
    recipes: Sequence[str] | None = None,
    period_ps: float | None = None,
    quick: bool = False,
) -> list[Chosen]:
    """The smallest netlist of ``pe`` that meets each target; from the cache where it was made before.

    ``recipes`` are those to map for area, by default the smallest in a quick mapping of all. With ``period_ps`` that is
    the only target, `CLOCK`, and where no netlist meets it, the fastest one is taken. ``quick``: see `elaborate`.
    """
    wanted = json.dumps(recipes if period_ps is None else [recipes, period_ps, quick])
    folder = node.folder / node.name / node.key / _digest(_verilog(pe), wanted)
    if not (folder / "chosen.json").exists():
        with TemporaryDirectory(dir=node.folder) as scratch:
            made = Path(scratch)
            _synthesise(pe, node, recipes, period_ps, quick, made)
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(made / "kept", folder)
    records = json.loads((folder / "chosen.json").read_text("utf-8"))
    return [Chosen(**record | {"node": node.name, "file": str(folder / record["file"])}) for record in records]


@dataclass(frozen=True)
class _Candidate:
    mapping: Mapping
    netlist: Netlist
    timing: Timing


def _synthesise(
    pe: PE,
    node: Node,
    recipes: Sequence[str] | None,
    period_ps: float | None,
    quick: bool,
    folder: Path,
) -> None:
    source = _elaborated(pe, node.folder, quick)

    def mapped(mappings: Iterable[Mapping]) -> list[_Candidate]:
        mappings = list(dict.fromkeys(mappings))
        if not mappings:
            return []
        map_to_cells(source, mappings, node.library, node.adders, folder)
        candidates = []
        for mapping in mappings:
            netlist = read_netlist(folder / mapping.file, node.cells)
            candidates.append(_Candidate(mapping, netlist, analyse(netlist, node.cells)))
        return candidates

    smallest = recipes or _smallest_recipes(source, node, folder)
    candidates = mapped(Mapping(recipe, "small") for recipe in smallest)
    plain = next((recipe for recipe in smallest if not RECIPES[recipe][1]), "noalumacc")
    restructured = () if quick else RESTRUCTURED
    candidates += mapped(
        [*(Mapping(recipe, "fast", 1, True) for recipe in restructured), Mapping(plain, "fast", 1)],
    )
    by_period = sorted(candidates, key=lambda c: c.timing.period_ps)
    fastest = next((c.mapping.recipe for c in by_period if c.mapping.restructured), None)
    shortest = min(candidate.timing.period_ps for candidate in candidates)
    targets = {CLOCK: period_ps} if period_ps is not None else _targets(shortest)
    small = min(candidates, key=lambda candidate: candidate.netlist.area_um2)
    overhead = _register_ps(node.cells)
    candidates += mapped(
        Mapping(recipe, script, round(TIGHTER * target - overhead), deep)
        for target in targets.values()
        if target is not None and small.timing.period_ps > target
        for recipe, script, deep in (
            *([(fastest, "fast", True)] if fastest else []),
            (plain, "fast", False),
            (plain, "sized", False),
        )
    )
    shortest = min(candidate.timing.period_ps for candidate in candidates)
    (folder / "kept").mkdir()
    chosen = []
    for name, target in targets.items():
        meeting = [c for c in candidates if target is None or c.timing.period_ps <= target]
        reached = [c for c in candidates if c.timing.period_ps == shortest]
        best = min(meeting or reached, key=lambda candidate: candidate.netlist.area_um2)
        kept = folder / "kept" / f"{best.mapping.file}.gz"
        kept.write_bytes(gzip.compress((folder / best.mapping.file).read_bytes(), mtime=0))
        chosen.append(
            Chosen(
                pe=str(pe),
                node=node.name,
                target=name,
                period_target_ps=target,
                period_ps=best.timing.period_ps,
                shortest_ps=shortest,
                area_um2=best.netlist.area_um2,
                leakage_uw=best.netlist.leakage_uw,
                mapping=str(best.mapping),
                file=kept.name,
            )
        )
    (folder / "kept" / "chosen.json").write_text(json.dumps([asdict(one) for one in chosen], indent=1), "utf-8")


def _targets(shortest_ps: float) -> dict[str, float | None]:
    return {name: None if factor is None else factor * shortest_ps for name, factor in TARGETS.items()}


def recipes_elsewhere(chosen: Sequence[Chosen], node: Node) -> list[str]:
    """The recipes to map for area on another ``node``, from those that won on the first: without full adders too."""
    relaxed = next(one.mapping for one in chosen if one.target == "relaxed").partition(",")[0]
    plain = next(recipe for recipe, made in RECIPES.items() if made == (RECIPES[relaxed][0], False))
    return list(dict.fromkeys([relaxed, plain] if node.adders else [plain]))


def _smallest_recipes(source: Path, node: Node, folder: Path) -> list[str]:
    mappings = [Mapping(recipe, "sketch") for recipe, (_, adders) in RECIPES.items() if node.adders or not adders]
    map_to_cells(source, mappings, node.library, node.adders, folder)
    areas = {m.recipe: read_netlist(folder / m.file, node.cells).area_um2 for m in mappings}
    return sorted(areas, key=areas.__getitem__)[:SKETCHED]


def _elaborated(pe: PE, cache_folder: Path, quick: bool) -> Path:
    """The folder with the gates of ``pe``, made now or before."""
    made_by = json.dumps([RECIPES, () if quick else RESTRUCTURED, version("pyosys")])
    folder = cache_folder / "gates" / _digest(_verilog(pe), made_by)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache_folder) as scratch:
            made = Path(scratch) / "gates"
            made.mkdir()
            elaborate(pe, made, quick)
            try:
                made.replace(folder)
            except OSError:
                if not folder.exists():  # not made by another process either
                    raise
    return folder


def _register_ps(cells: Cells) -> float:
    """Clock-to-output and setup of the smallest flip-flop."""
    cell = cells.smallest_flip_flop
    assert cell.flip_flop is not None
    slew, load = cells.clock_slew_ps, cells.port_load_ff
    return max(arc.delay[edge](slew, load) for arc in cell.arcs for edge in (0, 1)) + cell.flip_flop.setup_ps(slew, 0.0)


@lru_cache
def _verilog(pe: PE) -> str:
    return pe_verilog(pe)


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()[:20]
