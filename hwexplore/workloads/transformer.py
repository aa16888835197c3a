"""Decoder-only transformers: from dimensions to operators and parameter counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwexplore.errors import InputError
from hwexplore.workloads.operators import Kind, Operator

__all__ = ["OPS_PER_ELEMENT", "Transformer"]

OPS_PER_ELEMENT: dict[Kind, int] = {
    "softmax": 5,
    "norm": 7,
    "rotary": 3,
    "activation": 2,
    "residual": 1,
    "embedding": 0,
}
"""Vector operations per output element. Softmax, norm, activation and residual as counted by LLM-Viewer
(arXiv 2402.16363); rotary is two multiplications and an addition."""


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """Dimensions of a decoder-only transformer.

    - A mixture of experts routes each token to `experts_per_token` of `experts` MLPs.
    - `local_layers` of the layers attend the last `window` tokens only, the others the whole context.
    - `positions` is the longest context of a learned position table, which has `spare_positions` rows more; 0 if
      positions are rotary.
    - `embedding` is the width of the token embedding, projected to `hidden` where they differ.
    - `norm_vectors` is 1 for RMSNorm (gain), 2 for LayerNorm (gain and bias), 0 for norms without parameters.
    - `sub_norms` normalise the inputs of out_proj and down_proj (BitNet), `post_norms` the outputs of attention and
      MLP (Gemma 2). The soft-capping of Gemma 2's logits is not counted.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    embedding: int
    tied: bool
    positions: int = 0
    spare_positions: int = 0
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    gated: bool = True
    experts: int = 1
    experts_per_token: int = 1
    window: int = 0
    local_layers: int = 0
    norm_vectors: int = 1
    final_norm: bool = True
    sub_norms: bool = False
    post_norms: bool = False

    @property
    def parameters(self) -> int:
        """All parameters of the network."""
        return self._parameters(self.experts)

    @property
    def active_parameters(self) -> int:
        """The parameters that take part in one token: all but the experts it does not visit."""
        return self._parameters(self.experts_per_token)

    def _parameters(self, experts: int) -> int:
        hidden, query, kv = self.hidden, self.heads * self.head_dim, self.kv_heads * self.head_dim
        tables = self.vocabulary * self.embedding * (1 if self.tied else 2)
        tables += (self.positions + self.spare_positions) * hidden
        if self.embedding != hidden:
            tables += 2 * self.embedding * hidden
        attention = hidden * (2 * query + 2 * kv) + (query + 2 * kv) * self.qkv_bias + hidden * self.out_bias
        matrices = 3 if self.gated else 2
        mlp = matrices * hidden * self.intermediate
        mlp += ((matrices - 1) * self.intermediate + hidden) * self.mlp_bias
        router = hidden * self.experts if self.experts > 1 else 0
        norms = hidden * (4 if self.post_norms else 2) + (query + self.intermediate) * self.sub_norms
        layer = attention + experts * mlp + router + norms * self.norm_vectors
        return tables + self.layers * layer + hidden * self.norm_vectors * self.final_norm

    def operators(self, *, phase: str, batch: int, context: int) -> tuple[Operator, ...]:
        """The operators of one pass in the order they run.

        Prefill takes `context` tokens of each of `batch` sequences, attends the full square of them (no causal
        skipping, as LLM-Viewer counts) and runs lm_head for the last token of each sequence. Decode takes one token
        per sequence, which attends `context` KV entries, its own included. Norm parameters stay on chip. Tokens choose
        experts uniformly and independently, so `t` tokens touch `E (1 - (1 - k/E)^t)` of `E` experts.

        Raises InputError if a learned position table is shorter than `context`.
        """
        if 0 < self.positions < context:
            raise InputError(
                f"context is {context}; expected at most {self.positions}, the length of the learned position table."
            )
        queries = context if phase == "prefill" else 1
        return tuple(self._network(queries=queries, batch=batch, context=context))

    def _network(self, *, queries: int, batch: int, context: int) -> Iterator[Operator]:
        tokens, hidden = batch * queries, self.hidden
        yield _lookup("embedding", tokens, self.embedding)
        if self.positions:
            yield _lookup("position_embedding", tokens, hidden)
        if self.embedding != hidden:
            yield _linear("project_in", 1, tokens, hidden, self.embedding)
        yield from self._attention(queries, batch, context)
        yield from self._mlp(tokens)
        if self.final_norm:
            yield _elementwise("final_norm", "norm", 1, tokens, hidden)
        if self.embedding != hidden:
            yield _linear("project_out", 1, batch, self.embedding, hidden)
        yield _linear("lm_head", 1, batch, self.vocabulary, self.embedding)

    def _attention(self, queries: int, batch: int, context: int) -> Iterator[Operator]:
        layers, tokens, hidden = self.layers, batch * queries, self.hidden
        query, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        yield _elementwise("attn_norm", "norm", layers, tokens, hidden)
        yield _linear("q_proj", layers, tokens, query, hidden, bias=self.qkv_bias)
        yield _linear("k_proj", layers, tokens, kv, hidden, bias=self.qkv_bias, to_cache=True)
        yield _linear("v_proj", layers, tokens, kv, hidden, bias=self.qkv_bias, to_cache=True)
        if not self.positions:
            yield _elementwise("rotary", "rotary", layers, tokens, query + kv)
        for count, attended in self._spans(context):
            groups, rows = batch * self.kv_heads, queries * (self.heads // self.kv_heads)
            cached = groups * min(context, attended + queries - 1) * self.head_dim
            yield _attention("qk_matmul", count, groups, rows, attended, self.head_dim, cached)
            yield _elementwise("softmax", "softmax", count, rows, attended, batch=groups)
            yield _attention("sv_matmul", count, groups, rows, self.head_dim, attended, cached)
        if self.sub_norms:
            yield _elementwise("attn_sub_norm", "norm", layers, tokens, query)
        yield _linear("out_proj", layers, tokens, hidden, query, bias=self.out_bias)
        if self.post_norms:
            yield _elementwise("attn_post_norm", "norm", layers, tokens, hidden)
        yield _elementwise("attn_add", "residual", layers, tokens, hidden, operands=2)

    def _spans(self, context: int) -> Iterator[tuple[int, int]]:
        """Layers and the context they attend; layers that attend equally are folded."""
        if self.local_layers == 0 or context <= self.window:
            yield self.layers, context
            return
        yield self.local_layers, self.window
        if self.local_layers < self.layers:
            yield self.layers - self.local_layers, context

    def _mlp(self, tokens: int) -> Iterator[Operator]:
        layers, hidden, width, bias = self.layers, self.hidden, self.intermediate, self.mlp_bias
        yield _elementwise("mlp_norm", "norm", layers, tokens, hidden)
        routed = tokens * self.experts_per_token
        touched: float = 1
        if self.experts > 1:
            yield _linear("router", layers, tokens, self.experts, hidden)
            yield _elementwise("router_softmax", "softmax", layers, tokens, self.experts)
            touched = self.experts * (1 - (1 - self.experts_per_token / self.experts) ** tokens)
        for name in ("gate_proj", "up_proj") if self.gated else ("up_proj",):
            yield _linear(name, layers, routed, width, hidden, bias=bias, experts=touched)
        yield _elementwise("mlp_act", "activation", layers, routed, width, operands=2 if self.gated else 1)
        if self.sub_norms:
            yield _elementwise("mlp_sub_norm", "norm", layers, routed, width)
        yield _linear("down_proj", layers, routed, hidden, width, bias=bias, experts=touched)
        if self.experts > 1:
            chosen = self.experts_per_token
            yield _elementwise(
                "expert_sum", "residual", layers, tokens, hidden, operands=chosen, ops_per_element=2 * chosen - 1
            )
        if self.post_norms:
            yield _elementwise("mlp_post_norm", "norm", layers, tokens, hidden)
        yield _elementwise("mlp_add", "residual", layers, tokens, hidden, operands=2)


def _linear(
    name: str, count: int, m: int, n: int, k: int, *, bias: bool = False, to_cache: bool = False, experts: float = 1
) -> Operator:
    """Tokens times weights; `experts` share the `m` rows evenly and each brings its own weights."""
    return Operator(
        name=name,
        kind="linear",
        count=count,
        batch=experts,
        m=m if experts == 1 else m / experts,
        n=n,
        k=k,
        weight_elements=experts * (n * k + n * bias),
        activation_elements=m * k,
        kv_elements=m * n if to_cache else 0,
        output_elements=0 if to_cache else m * n,
        vector_ops=0,
    )


def _attention(name: str, count: int, batch: int, m: int, n: int, k: int, cached: int) -> Operator:
    """Queries (or probabilities) of a group of heads times its K (or V): `cached` elements, read once."""
    return Operator(
        name=name,
        kind="attention",
        count=count,
        batch=batch,
        m=m,
        n=n,
        k=k,
        weight_elements=0,
        activation_elements=batch * m * k,
        kv_elements=cached,
        output_elements=batch * m * n,
        vector_ops=0,
    )


def _elementwise(
    name: str,
    kind: Kind,
    count: int,
    m: int,
    n: int,
    *,
    batch: int = 1,
    operands: int = 1,
    ops_per_element: int | None = None,
) -> Operator:
    """Reads `operands` arrays `[batch, m, n]` and writes one."""
    elements = batch * m * n
    return Operator(
        name=name,
        kind=kind,
        count=count,
        batch=batch,
        m=m,
        n=n,
        k=0,
        weight_elements=0,
        activation_elements=operands * elements,
        kv_elements=0,
        output_elements=elements,
        vector_ops=elements * (OPS_PER_ELEMENT[kind] if ops_per_element is None else ops_per_element),
    )


def _lookup(name: str, m: int, n: int) -> Operator:
    """Reads one row of a table per token."""
    return Operator(
        name=name,
        kind="embedding",
        count=1,
        batch=1,
        m=m,
        n=n,
        k=0,
        weight_elements=m * n,
        activation_elements=0,
        kv_elements=0,
        output_elements=m * n,
        vector_ops=OPS_PER_ELEMENT["embedding"] * m * n,
    )
