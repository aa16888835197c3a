"""Decoder-only transformers: from dimensions to operators and parameter counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from hwexplore.errors import InputError
from hwexplore.workloads.attention import SOFTCAP_OPS, Attention, LatentAttention
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.passes import Pass
from hwexplore.workloads.primitives import elementwise, linear, lookup

__all__ = ["Block", "Layer", "Transformer"]

Block = Literal["pre", "post", "sandwich", "parallel", "parallel_two_norms"]
NORMS: dict[Block, int] = {"pre": 2, "post": 2, "sandwich": 4, "parallel": 1, "parallel_two_norms": 2}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Attention and MLP, and how norms and residual additions join them.

    - "pre": each is normalised before and added after.
    - "post": each is added, then the sum normalised (OPT-350m).
    - "sandwich": each is normalised before and after, then added (Gemma 2).
    - "parallel": one norm before both, one addition after both (GPT-J).
    - "parallel_two_norms": a norm for each, one addition after both (GPT-NeoX).
    """

    attention: Attention | LatentAttention
    mlp: Mlp | Mixture
    block: Block = "pre"

    def parameters(self, hidden: int, norm_vectors: int) -> int:
        """All parameters of the layer."""
        return self.mlp.parameters(hidden) + self._shared(hidden, norm_vectors)

    def active_parameters(self, hidden: int, norm_vectors: int) -> int:
        """The parameters that take part in one token: all but the experts it does not visit."""
        return self.mlp.active_parameters(hidden) + self._shared(hidden, norm_vectors)

    def with_expert_skew(self, skew: float) -> Layer:
        """The same with experts whose popularity follows Zipf's law with the exponent `skew`."""
        return replace(self, mlp=replace(self.mlp, skew=skew)) if isinstance(self.mlp, Mixture) else self

    def _shared(self, hidden: int, norm_vectors: int) -> int:
        return self.attention.parameters(hidden) + NORMS[self.block] * norm_vectors * hidden

    def operators(self, run: Pass, hidden: int) -> Iterator[Operator]:
        """All operators of one such layer, in the order they run."""
        attention = self.attention.operators(run, hidden)
        mlp = self.mlp.operators(run.tokens, hidden)
        if self.block.startswith("parallel"):
            yield elementwise("attn_norm", "norm", run.tokens, hidden)
            yield from attention
            if self.block == "parallel_two_norms":
                yield elementwise("mlp_norm", "norm", run.tokens, hidden)
            yield from mlp
            yield elementwise("block_add", "residual", run.tokens, hidden, operands=3, ops_per_element=2)
            return
        for name, part in (("attn", attention), ("mlp", mlp)):
            norm = elementwise(f"{name}_norm", "norm", run.tokens, hidden)
            if self.block != "post":
                yield norm
            yield from part
            if self.block == "sandwich":
                yield replace(norm, name=f"{name}_post_norm")
            yield elementwise(f"{name}_add", "residual", run.tokens, hidden, operands=2)
            if self.block == "post":
                yield norm


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """Dimensions of a decoder-only transformer; `layers` from first to last.

    - `positions` is the longest context of a learned position table, which has `spare_positions` rows more; 0 without.
    - `embedding` is the width of the token embedding, projected to `hidden` where they differ.
    - `norm_vectors` is 1 for RMSNorm (gain), 2 for LayerNorm (gain and bias), 0 for norms without parameters.
    - `head_bias` adds a bias to lm_head, `softcap` bounds its outputs by a hyperbolic tangent (Gemma 2).
    """

    hidden: int
    vocabulary: int
    embedding: int
    tied: bool
    layers: tuple[Layer, ...]
    positions: int = 0
    spare_positions: int = 0
    norm_vectors: int = 1
    final_norm: bool = True
    head_bias: bool = False
    softcap: bool = False

    @cached_property
    def kinds(self) -> Counter[Layer]:
        """The distinct layers, in the order of their first, with the number of each."""
        return Counter(self.layers)

    @property
    def parameters(self) -> int:
        """All parameters of the network."""
        return self._ends() + sum(
            count * layer.parameters(self.hidden, self.norm_vectors) for layer, count in self.kinds.items()
        )

    @property
    def active_parameters(self) -> int:
        """The parameters that take part in one token: all but the experts it does not visit."""
        return self._ends() + sum(
            count * layer.active_parameters(self.hidden, self.norm_vectors) for layer, count in self.kinds.items()
        )

    def with_expert_skew(self, skew: float) -> Transformer:
        """The same with experts whose popularity follows Zipf's law with the exponent `skew`."""
        return replace(self, layers=tuple(layer.with_expert_skew(skew) for layer in self.layers))

    def _ends(self) -> int:
        tables = self.vocabulary * (self.embedding * (1 if self.tied else 2) + self.head_bias)
        tables += (self.positions + self.spare_positions) * self.hidden
        if self.embedding != self.hidden:
            tables += 2 * self.embedding * self.hidden
        return tables + self.hidden * self.norm_vectors * self.final_norm

    @property
    def windows(self) -> set[int]:
        """The lengths of sliding windows; 0 for layers that attend the whole context."""
        return {getattr(layer.attention, "window", 0) for layer in self.kinds}

    def cache_elements(self, *, batch: int, context: int) -> int:
        """Elements of the KV cache that `batch` sequences of `context` tokens fill.

        Raises InputError if a learned position table is shorter than `context`.
        """
        self._check(context)
        return batch * sum(count * layer.attention.cache_elements(context) for layer, count in self.kinds.items())

    def operators(self, run: Pass, *, per_layer: bool = False) -> tuple[Operator, ...]:
        """The operators of one pass, equal ones folded with their count, or `per_layer` named "layers.0.q_proj".

        They stand in the order they run; folded, what a further kind of layer has of its own follows the first kind's.
        Each new token attends its group's whole context (no causal skipping, as LLM-Viewer counts), and lm_head runs
        for the tokens whose logits are needed. Norm parameters stay on chip.

        Raises InputError if a learned position table is shorter than a context.
        """
        self._check(max(group.context for group in run.groups))
        inner = self._layers(run) if per_layer else self._folded(run)
        return (*self._entry(run), *inner, *self._exit(run))

    def _check(self, context: int) -> None:
        if 0 < self.positions < context:
            raise InputError(
                f"context is {context}; expected at most {self.positions}, the length of the learned position table."
            )

    def _layers(self, run: Pass) -> Iterator[Operator]:
        for index, layer in enumerate(self.layers):
            for operator in layer.operators(run, self.hidden):
                yield replace(operator, name=f"layers.{index}.{operator.name}")

    def _folded(self, run: Pass) -> Iterator[Operator]:
        layers: Counter[Operator] = Counter()
        for layer, count in self.kinds.items():
            for operator in layer.operators(run, self.hidden):
                layers[operator] += count
        return (replace(operator, count=count) for operator, count in layers.items())

    def _entry(self, run: Pass) -> Iterator[Operator]:
        yield lookup("embedding", run.tokens, self.embedding)
        if self.positions:
            yield lookup("position_embedding", run.tokens, self.hidden)
        if self.embedding != self.hidden:
            yield linear("project_in", run.tokens, self.hidden, self.embedding)

    def _exit(self, run: Pass) -> Iterator[Operator]:
        if self.final_norm:
            yield elementwise("final_norm", "norm", run.tokens, self.hidden)
        if self.embedding != self.hidden:
            yield linear("project_out", run.logits, self.embedding, self.hidden)
        yield linear("lm_head", run.logits, self.vocabulary, self.embedding, bias=self.head_bias)
        if self.softcap:
            yield elementwise("logit_softcap", "activation", run.logits, self.vocabulary, ops_per_element=SOFTCAP_OPS)
