"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore.accelerator import Fidelity
from hwexplore.search import Space

__all__ = ["Batch", "Context", "FidelityOption", "Phase", "PolicyText", "SpaceFile", "TechnologyName", "load_space"]

Phase = Annotated[str, typer.Option(help="prefill, decode or a scenario, such as 'chat(512, 256)' or 'training'.")]
Batch = Annotated[int, typer.Option(help="Sequences processed together.")]
Context = Annotated[int, typer.Option(help="KV length attended in decode, prompt length in prefill.")]
PolicyText = Annotated[str, typer.Option("--policy", help="Formats of weights/activations/KV cache.")]
TechnologyName = Annotated[str, typer.Option(help="Process node, see 'hwexplore technology list'.")]
SpaceFile = Annotated[Path | None, typer.Option("--space", help="TOML file with a list of values per parameter.")]
FidelityOption = Annotated[Fidelity, typer.Option(help="Tiled model, or its roofline bound.")]


def load_space(path: Path | None) -> Space:
    """The space in ``path``, or the default one."""
    return Space.default() if path is None else Space.load(path)
