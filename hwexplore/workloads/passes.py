"""Forward passes: which new tokens run through a network together, and what they attend."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Group", "Pass"]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sequences alike: `queries` new tokens of each attend `context` KV entries, the new ones included.

    Logits are needed for the last `logits` of the new tokens. `sequences` may be an expected value.
    """

    sequences: float
    queries: int
    context: int
    logits: int = 1

    @property
    def tokens(self) -> float:
        """New tokens of all sequences."""
        return self.sequences * self.queries


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One forward pass: all new tokens share one read of the weights, each group attends on its own.

    `recent` tokens of the context, the last and any kept attention sinks, are a part of the KV cache of its own, which
    a policy can give a higher precision (KIVI, arXiv 2402.02750; StreamingLLM, arXiv 2309.17453).
    """

    groups: tuple[Group, ...]
    recent: int = 0

    @classmethod
    def prefill(cls, batch: int, context: int, *, logits: int = 1) -> Pass:
        """`batch` prompts of `context` tokens from an empty KV cache."""
        return cls(groups=(Group(sequences=batch, queries=context, context=context, logits=logits),))

    @classmethod
    def decode(cls, batch: int, context: int, *, recent: int = 0) -> Pass:
        """One token of each of `batch` sequences, which attends `context` KV entries, its own included."""
        return cls(groups=(Group(sequences=batch, queries=1, context=context),), recent=recent)

    @property
    def tokens(self) -> float:
        """New tokens of all sequences."""
        return sum(group.tokens for group in self.groups)

    @property
    def logits(self) -> float:
        """Tokens whose logits are needed."""
        return sum(group.sequences * group.logits for group in self.groups)
