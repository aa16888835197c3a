"""Methods of post-training quantization by name."""

from __future__ import annotations

from dataclasses import dataclass

from hwexplore.errors import InputError, unknown

__all__ = ["METHODS", "Method"]

METHODS = {
    "rtn": "round to nearest",
    "clip": "scales of least squared error",
    "gptq": "rounding errors made up for by later columns",
    "dual": "weights of integer groups as dual-grained ones, exact in INT8",
    "equalize": "weight ranges equalized between layers",
    "smoothquant": "activation ranges moved into the weights",
    "hadamard": "activations and weights rotated",
    "hadamard32": "the same in blocks of 32",
    "hadamard16": "the same in blocks of 16",
    "bias": "mean output error taken back",
}
"""What can be put together with "+", and what it does."""

ROTATIONS = {"hadamard": None, "hadamard32": 32, "hadamard16": 16}
CALIBRATED = {"smoothquant", "gptq", "bias"}
EXCLUSIVE = ({"rtn", "clip"}, {"rtn", "gptq"}, {"rtn", "dual"}, {"clip", "dual"}, {"gptq", "dual"})


@dataclass(frozen=True)
class Method:
    """Parts of `METHODS`; those that do not round go with rounding to nearest. "clip+gptq" is GPTQ on clipped scales.

    Applied in this order, whatever that of the text: equalize, smoothquant, a rotation, the rounding, bias.
    """

    parts: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Method:
        """From text as "hadamard+gptq"; raises InputError for unknown parts."""
        parts = [part.strip() for part in text.split("+")]
        for part in parts:
            if part not in METHODS:
                raise unknown("method", part, METHODS)
        if len(set(parts)) != len(parts) or any(pair <= set(parts) for pair in EXCLUSIVE):
            raise InputError(f"method {text!r} repeats a part or rounds twice; expected parts as in 'hadamard+gptq'")
        if len(ROTATIONS.keys() & set(parts)) > 1:
            raise InputError(f"method {text!r} rotates twice; expected one of {', '.join(ROTATIONS)}")
        return cls(frozenset(parts))

    def __contains__(self, part: str) -> bool:
        return part in self.parts

    @property
    def rotates(self) -> bool:
        """Whether activations and weights are rotated, in blocks of `rotation_block`."""
        return bool(ROTATIONS.keys() & self.parts)

    @property
    def rotation_block(self) -> int | None:
        """None: the largest power of two."""
        return next((block for part, block in ROTATIONS.items() if part in self), None)

    @property
    def calibrates(self) -> bool:
        """Whether the inputs of the layers matter."""
        return bool(CALIBRATED & self.parts)

    def __str__(self) -> str:
        order = ("equalize", "smoothquant", *ROTATIONS, "rtn", "clip", "gptq", "dual", "bias")
        return "+".join(part for part in order if part in self)
