"""Precision policy: which format each operand of each operator is stored in, and which one the PE consumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.workloads.operators import Operator

__all__ = ["PLACES", "OperandFormat", "Operands", "Policy", "selects"]

PLACES = ("none", "dram", "edge", "pe", "group")
OPERANDS = ("weights", "activations", "kv_cache")


@dataclass(frozen=True, kw_only=True)
class OperandFormat:
    """How one operand is stored, what the PE consumes, and where the way between them lies.

    `storage` is what memory holds, `compute` what the PE consumes. `dequantize` is where scales and conversions are
    applied: "dram" (on the memory side), "edge" (of the array), "pe" (inside the PE), "group" (once per group or block,
    on its partial sum), "none" (nothing to apply; a scale per channel or per tensor belongs to the output).

    Text: `storage[>compute][@dequantize]`, for example `"mxfp4"`, `"int4_g128>fp16"`, `"int4_g128>fp16@pe"`.
    Raises InputError for a place that does not fit the formats.
    """

    storage: Format
    compute: Format
    dequantize: str

    def __post_init__(self) -> None:
        if self.dequantize not in PLACES:
            raise unknown("place of dequantization", self.dequantize, PLACES)
        possible = _possible_places(self.storage, self.compute)
        if self.dequantize not in possible:
            raise InputError(
                f"dequantize is {self.dequantize!r} for {self.storage} computed as {self.compute}; "
                f"expected {' or '.join(possible)}."
            )

    @classmethod
    def of(cls, storage: Format, compute: Format | None = None, dequantize: str | None = None) -> OperandFormat:
        """With the defaults: compute on the storage format's elements, dequantize "none" if there is nothing to apply,
        after the "group" if elements share a scale, at the "edge" if `compute` is another format."""
        compute = compute or storage.element
        return cls(storage=storage, compute=compute, dequantize=dequantize or _possible_places(storage, compute)[0])

    @property
    def consumed(self) -> Format:
        """What a PE is given: with the scales if it is to apply them, the compute format otherwise."""
        return self.storage if self.dequantize == "pe" and self.compute == self.storage.element else self.compute

    @classmethod
    def parse(cls, text: str) -> OperandFormat:
        """From `storage[>compute][@dequantize]`; raises InputError for unknown formats and places."""
        formats, at, place = text.partition("@")
        storage, to, compute = formats.partition(">")
        if (at and not place.strip()) or (to and not compute.strip()):
            raise InputError(f"operand format {text!r} is incomplete; expected storage[>compute][@dequantize].")
        return cls.of(Format.parse(storage.strip()), Format.parse(compute.strip()) if to else None, place.strip())

    def __str__(self) -> str:
        compute = "" if self.compute == self.storage.element else f">{self.compute}"
        default = _possible_places(self.storage, self.compute)[0]
        return f"{self.storage}{compute}" + ("" if self.dequantize == default else f"@{self.dequantize}")


def _possible_places(storage: Format, compute: Format) -> tuple[str, ...]:
    """Where `storage` can become `compute`, the default first."""
    if compute != storage.element:
        return ("edge", "dram", "pe")
    return ("none",) if storage.block is None else ("group", "pe")


OPTIMIZER_STATE = OperandFormat.parse("fp32")
"""Of gradients, master weights and moments in mixed-precision training (arXiv 1710.03740)."""


@dataclass(frozen=True, kw_only=True)
class Operands:
    """The formats of one operator's operands; outputs are stored as activations."""

    weights: OperandFormat
    activations: OperandFormat
    kv_cache: OperandFormat


@dataclass(frozen=True, init=False)
class Policy:
    """Formats of weights, activations and KV cache, with overrides for operators or kinds of operators.

    Each operand takes an OperandFormat, a Format or their text. `overrides` maps an operator's name or kind to the
    operands that differ there, `{"lm_head": {"weights": "int8"}}`. Of a name with dots, such as
    "decode.layers.3.q_proj", any run of parts will do: "decode", "layers.3", "q_proj". More parts win over fewer, then
    later overrides over earlier ones, and every name over the kind. The KV cache is written by k_proj and v_proj and
    read by attention, so `kv_cache` is best set for all of them. What an optimizer reads and writes is in FP32 unless
    overridden.

    Text: `weights/activations/kv_cache`, then `;selector=weights/activations/kv_cache` for each override, an empty
    operand being inherited: `"int4_g128/int8/int8;lm_head=int8//"`. `Policy.parse(str(policy)) == policy`.
    """

    weights: OperandFormat
    activations: OperandFormat
    kv_cache: OperandFormat
    overrides: Mapping[str, Mapping[str, OperandFormat]] = field(hash=False)

    def __init__(
        self,
        weights: OperandFormat | Format | str = "fp16",
        activations: OperandFormat | Format | str = "fp16",
        kv_cache: OperandFormat | Format | str = "fp16",
        overrides: Mapping[str, Mapping[str, OperandFormat | Format | str]] | None = None,
    ) -> None:
        for name, value in zip(OPERANDS, (weights, activations, kv_cache), strict=True):
            object.__setattr__(self, name, _operand_format(name, value))
        partials = {selector: _partial(selector, partial) for selector, partial in (overrides or {}).items()}
        object.__setattr__(self, "overrides", partials)

    @classmethod
    def parse(cls, text: str) -> Policy:
        """From the text that `str` gives; raises InputError for a malformed policy or an unknown format."""
        base, *overrides = text.split(";")
        operands = _split(base, part=base)
        if len(operands) < len(OPERANDS):
            raise InputError(f"policy part {base!r} lacks an operand; expected weights/activations/kv_cache.")
        partials: dict[str, dict[str, OperandFormat | Format | str]] = {}
        for override in overrides:
            selector, _, formats = override.rpartition("=")
            partials[selector.strip()] = {**_split(formats, part=override)}
        return cls(**operands, overrides=partials)

    def __str__(self) -> str:
        partials = [f"{selector}={_join(partial)}" for selector, partial in self.overrides.items()]
        return ";".join([_join(vars(self)), *partials])

    def operands(self, operator: Operator) -> Operands:
        """The operand formats of `operator`, overrides applied."""
        activations = OPTIMIZER_STATE if operator.kind == "optimizer" else self.activations
        base = Operands(weights=self.weights, activations=activations, kv_cache=self.kv_cache)
        matching = (selector for selector in self.overrides if selects(selector, operator))
        for selector in sorted(matching, key=lambda text: -1 if text == operator.kind else text.count(".")):
            base = replace(base, **self.overrides[selector])
        return base


def selects(selector: str, operator: Operator) -> bool:
    """Whether `selector` is the kind of `operator`, its name, or a run of the name's parts."""
    return selector == operator.kind or f".{selector}." in f".{operator.name}."


def _operand_format(name: str, value: object) -> OperandFormat:
    match value:
        case OperandFormat():
            return value
        case Format():
            return OperandFormat.of(value)
        case str():
            return OperandFormat.parse(value)
    raise InputError(f"{name} is {value!r}; expected a format or its text, such as 'int4_g128>fp16'.")


def _partial(selector: str, partial: object) -> dict[str, OperandFormat]:
    if not isinstance(partial, Mapping):
        raise InputError(f"the override of {selector} is {partial!r}; expected a mapping from operands to formats.")
    for name in partial:
        if name not in OPERANDS:
            raise unknown("operand", name, OPERANDS)
    return {name: _operand_format(f"{selector}.{name}", value) for name, value in partial.items()}


def _split(operands: str, *, part: str) -> dict[str, str]:
    """The operands that a part of a policy's text names."""
    texts = [text.strip() for text in operands.split("/")]
    if len(texts) != len(OPERANDS):
        raise InputError(f"policy part {part!r} has {len(texts)} operands; expected weights/activations/kv_cache.")
    return {name: text for name, text in zip(OPERANDS, texts, strict=True) if text}


def _join(formats: Mapping[str, object]) -> str:
    return "/".join(str(formats.get(name, "")) for name in OPERANDS)
