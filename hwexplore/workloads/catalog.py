"""Workloads by name or from a file."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from hwexplore.errors import InputError, unknown
from hwexplore.workloads.architectures import transformer
from hwexplore.workloads.config import MAX_SIZE
from hwexplore.workloads.fusion import fuse as fuse_operators
from hwexplore.workloads.onnx import load_onnx
from hwexplore.workloads.scenarios import parse
from hwexplore.workloads.transformer import Transformer
from hwexplore.workloads.vision import vision
from hwexplore.workloads.workload import Workload

__all__ = ["load", "names"]

PHASES = ("inference", "prefill", "decode")
"""What networks without tokens accept, all meaning the same."""
MAX_SKEW = 8
"""Bound of Zipf's exponent; at 8 the second expert has 1/256 of the first one's tokens."""
MAX_BYTES = 2**20
"""The longest config.json that is read; published ones have a few thousand bytes."""


def names() -> list[str]:
    """The models of the catalogue."""
    return sorted(_catalog())


def load(
    name_or_path: str | Path,
    *,
    phase: str = "decode",
    batch: int = 1,
    context: int = 2048,
    dims: Mapping[str, int] | None = None,
    per_layer: bool = False,
    fuse: Iterable[str] = (),
    expert_skew: float = 0,
) -> Workload:
    """The workload of a catalogue model, of a Hugging Face config.json or of an ONNX graph.

    `phase` is "prefill", "decode" or another scenario, such as "chat(512, 256)" (see `scenarios.parse`). `context` is
    the prompt length in prefill and the KV length attended in decode, in tokens; "chat" and "continuous" take theirs
    from their lengths. `per_layer` gives every layer its own rows, "layers.0.q_proj". `fuse` names what stays on chip
    between operators, "attention" and "elementwise" (see `fusion.fuse`). `expert_skew` is the exponent of Zipf's law
    that the popularity of a mixture's experts follows; 0 makes them alike (see `mlp.Mixture`).

    Vision networks and ONNX graphs have the one phase "inference" and no context, whatever is said; an ONNX graph has
    its own batch, and `dims` gives sizes to the dimensions that it leaves open.

    Raises InputError for an unknown name, phase or architecture, an unreadable file, and sizes that are not positive
    integers.
    """
    batch, context = _positive("batch", batch), _positive("context", context)
    sizes = {name: _positive(f"dimension {name}", size) for name, size in (dims or {}).items()}
    if not 0 <= expert_skew < MAX_SKEW:
        raise InputError(f"expert_skew is {expert_skew!r}; expected an exponent from 0 to below {MAX_SKEW}.")
    if (path := Path(name_or_path)).suffix == ".onnx":
        _check_skew(expert_skew, str(path), False)
        return fuse_operators(_graph(path, phase, batch, sizes), fuse)
    if sizes:
        raise InputError(f"{name_or_path} has no open dimensions; dims belong to ONNX graphs.")
    name, source, entry = _entry(name_or_path)
    if "vision" in entry:
        _check_phase(phase)
        _check_skew(expert_skew, name, False)
        return fuse_operators(vision(name, entry["vision"], batch, per_layer), fuse)
    scenario = parse(phase, lambda draft: _model(*_entry(draft)[1:]).with_expert_skew(expert_skew))
    model = _model(source, entry)
    _check_skew(expert_skew, name, model.parameters > model.active_parameters)
    workload = scenario.workload(
        model.with_expert_skew(expert_skew),
        name=name,
        phase=phase,
        batch=batch,
        context=context,
        per_layer=per_layer,
    )
    return fuse_operators(replace(workload, expert_skew=expert_skew), fuse)


def _entry(name_or_path: str | Path) -> tuple[str, str, Mapping[str, Any]]:
    """Name, where errors lie, and the entry of a catalogue model or of a config.json."""
    catalog = _catalog()
    if (name := str(name_or_path)) in catalog:
        return name, name, _read(catalog[name])
    path = Path(name_or_path)
    if not (path.suffix == ".json" or path.exists()):
        raise unknown("workload", name, catalog)
    return path.resolve().parent.name if path.name == "config.json" else path.stem, str(path), {"config": _read(path)}


def _model(source: str, entry: Mapping[str, Any]) -> Transformer:
    if "config" not in entry:
        raise InputError(f"{source} is no language model.")
    try:
        return transformer(entry["config"], source=source)
    except RecursionError:
        raise InputError(f"{source} is nested too deeply; expected the fields of a config.json.") from None


def _graph(path: Path, phase: str, batch: int, sizes: Mapping[str, int]) -> Workload:
    _check_phase(phase)
    workload = load_onnx(path, sizes)
    if batch not in (1, workload.batch):
        raise InputError(
            f"batch is {batch}, but {path} has batches of {workload.batch}; expected that, or an open one."
        )
    return workload


def _catalog() -> dict[str, Traversable]:
    entries = files("hwexplore.models").joinpath("workloads").iterdir()
    return {entry.name.removesuffix(".json"): entry for entry in entries if entry.name.endswith(".json")}


def _read(file: Traversable | Path) -> Any:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; expected a config.json.") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} has more than {MAX_BYTES} bytes; expected a config.json.")
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text at byte {error.start}; expected a config.json.") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {error.lineno}: {error.msg}; expected a JSON object.") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{file} nests too deeply or has too long a number; expected a config.json.") from error


def _check_phase(phase: str) -> None:
    if phase not in PHASES:
        raise unknown("phase", phase, PHASES)


def _check_skew(expert_skew: float, name: str, has_experts: bool) -> None:
    if expert_skew and not has_experts:
        raise InputError(f"expert_skew is {expert_skew!r}, but {name} has no experts to choose from; expected 0.")


def _positive(field: str, value: int) -> int:
    try:
        size = operator.index(value)
    except TypeError:
        size = 0
    if not 1 <= size <= MAX_SIZE or isinstance(value, bool):
        raise InputError(f"{field} is {value!r}; expected a positive integer below 2**31.")
    return size
