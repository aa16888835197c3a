"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore import workloads
from hwexplore.accelerator import Fidelity
from hwexplore.errors import InputError
from hwexplore.search import Space
from hwexplore.workloads import Policy, Workload

__all__ = [
    "Batch",
    "Context",
    "Dims",
    "ExpertSkew",
    "FidelityOption",
    "Fuse",
    "Measured",
    "OperandsOption",
    "OwnPolicy",
    "Phase",
    "SpaceFile",
    "TechnologyName",
    "load_network",
    "load_policy",
    "load_space",
    "parse_dims",
]

Phase = Annotated[
    str,
    typer.Option(
        help="prefill, decode or a scenario, such as 'chat(512, 256)' or 'training'; graphs have inference only."
    ),
]
Batch = Annotated[int, typer.Option(help="Sequences or images processed together.")]
Context = Annotated[int, typer.Option(help="KV length attended in decode, prompt length in prefill.")]
Dims = Annotated[
    list[str],
    typer.Option("--dim", help="Size of an open dimension of an ONNX graph, as in batch=1; repeat for several."),
]
Fuse = Annotated[
    list[str],
    typer.Option(help="Leave tensors on chip between operators: attention, elementwise; repeat for both."),
]
ExpertSkew = Annotated[
    float, typer.Option(help="Zipf exponent of the popularity of a mixture's experts; 0: all alike, 1: Zipf's law.")
]
OwnPolicy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        help="Formats of weights/activations/KV cache; without it a quantized graph's own, or fp16/fp16/fp16.",
    ),
]
TechnologyName = Annotated[str, typer.Option(help="Process node, see 'hwexplore technology list'.")]
SpaceFile = Annotated[
    Path | None, typer.Option("--space", help="TOML file with the values of parameters, see docs/search.md.")
]
FidelityOption = Annotated[Fidelity, typer.Option(help="Tiled model, or its roofline bound.")]
OperandsOption = Annotated[
    str, typer.Option(help="Distribution of the numbers that PEs multiply, behind their energy: gaussian or uniform.")
]
Measured = Annotated[
    bool, typer.Option("--measured", help="With the launch overhead and efficiency of measured products, where known.")
]


def parse_dims(texts: list[str]) -> dict[str, int]:
    """Sizes by name from texts as ``batch=1``; InputError for one that is not of that form."""
    sizes = {}
    for text in texts:
        name, _, size = text.rpartition("=")
        if not (name and size.isdecimal() and len(size) < 20):
            raise InputError(f"dimension {text!r} is not of the form NAME=SIZE, as in batch=1")
        sizes[name] = int(size)
    return sizes


def load_network(
    name: str,
    phase: str,
    batch: int,
    context: int,
    dims: dict[str, int],
    fuse: list[str],
    expert_skew: float,
    per_layer: bool = False,
) -> Workload:
    """The workload that the options describe."""
    return workloads.load(
        name,
        phase=phase,
        batch=batch,
        context=context,
        dims=dims,
        per_layer=per_layer,
        fuse=fuse,
        expert_skew=expert_skew,
    )


def load_policy(text: str | None, workload: Workload) -> Policy:
    """The policy that ``text`` spells, or else the workload's own, or else FP16."""
    return Policy.parse(text) if text is not None else workload.policy or Policy()


def load_space(path: Path | None) -> Space:
    """The space in ``path``, or the default one."""
    return Space.default() if path is None else Space.load(path)
