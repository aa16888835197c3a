"""Attention: heads that share keys and values in groups, and multi-head latent attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwexplore.workloads.operators import Operator
from hwexplore.workloads.primitives import elementwise, linear, matmul

__all__ = ["SOFTCAP_OPS", "Attention", "LatentAttention", "Pass"]

SOFTCAP_OPS = 3
"""Vector operations of `c tanh(x / c)`: a multiplication, the hyperbolic tangent and a multiplication."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One forward pass: "prefill" of `context` tokens, or "decode" of one token that attends `context` entries of the
    KV cache, its own included, for each of `batch` sequences."""

    phase: str
    batch: int
    context: int

    @property
    def queries(self) -> int:
        """New tokens of each sequence."""
        return self.context if self.phase == "prefill" else 1

    @property
    def tokens(self) -> int:
        """New tokens of all sequences."""
        return self.batch * self.queries


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Multi-head, grouped-query (arXiv 2305.13245) or multi-query attention, by `kv_heads`.

    - `rotary` elements of each head are rotated by its position (RoPE); 0 for learned positions or none.
    - `window` limits attention to the last tokens; 0 for the whole context.
    - `qk_norm_parameters` are those of the norms of queries and keys after their projection; 0 for no such norms.
    - `sinks` adds a learned logit per head to the softmax (GPT-OSS), `softcap` bounds the scores by a hyperbolic
      tangent (Gemma 2), `sub_norm` normalises the input of out_proj (BitNet).
    """

    heads: int
    kv_heads: int
    head_dim: int
    rotary: int
    window: int = 0
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm_parameters: int = 0
    sinks: bool = False
    softcap: bool = False
    sub_norm: bool = False

    def parameters(self, hidden: int) -> int:
        """Weights, biases, norms and sinks of one layer."""
        query, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        matrices = hidden * (2 * query + 2 * kv)
        biases = (query + 2 * kv) * self.qkv_bias + hidden * self.out_bias
        return matrices + biases + self.qk_norm_parameters + self.heads * self.sinks + query * self.sub_norm

    def cache_elements(self, context: int) -> int:
        """Elements of the KV cache that one sequence leaves in one layer."""
        return 2 * self.kv_heads * self.head_dim * self._attended(context)

    def operators(self, run: Pass, hidden: int) -> Iterator[Operator]:
        """From the normalised input to out_proj, with the keys and values of a group of heads read once."""
        tokens, query, kv = run.tokens, self.heads * self.head_dim, self.kv_heads * self.head_dim
        yield linear("q_proj", tokens, query, hidden, bias=self.qkv_bias)
        yield linear("k_proj", tokens, kv, hidden, bias=self.qkv_bias, to_cache=True)
        yield linear("v_proj", tokens, kv, hidden, bias=self.qkv_bias, to_cache=True)
        if self.qk_norm_parameters:
            yield elementwise("qk_norm", "norm", tokens, query + kv)
        if self.rotary:
            yield elementwise("rotary", "rotary", tokens, (self.heads + self.kv_heads) * self.rotary)
        attended = self._attended(run.context)
        groups, rows = run.batch * self.kv_heads, run.queries * (self.heads // self.kv_heads)
        cached = groups * min(run.context, attended + run.queries - 1) * self.head_dim
        yield matmul("qk_matmul", groups, rows, attended, self.head_dim, cached=cached)
        if self.softcap:
            yield elementwise("softcap", "activation", rows, attended, batch=groups, ops_per_element=SOFTCAP_OPS)
        yield elementwise("softmax", "softmax", rows, attended + self.sinks, batch=groups)
        yield matmul("sv_matmul", groups, rows, self.head_dim, attended, cached=cached)
        if self.sub_norm:
            yield elementwise("attn_sub_norm", "norm", tokens, query)
        yield linear("out_proj", tokens, hidden, query, bias=self.out_bias)

    def _attended(self, context: int) -> int:
        return min(context, self.window) if self.window else context


@dataclass(frozen=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

    Keys and values of all heads are projected up from one latent vector of `kv_rank` elements per token, and `rotary`
    elements of each query and of one key that all heads share carry the position; queries come from a latent vector
    of `query_rank` elements, or straight from the input if that is 0. The KV cache holds latent vector and shared key.

    Prefill runs as the definition reads: k_b_proj and v_b_proj write every head's keys and values, which attention
    reads like a cache. Decode absorbs the two matrices into queries and outputs: `head_dim` elements of each query go
    through k_b_proj to `kv_rank`, all heads attend the compressed cache as one multi-query group, and v_b_proj takes
    their results to `value_dim`; qk_matmul and sv_matmul both read the latent vectors, as they are not fused.
    """

    heads: int
    head_dim: int
    rotary: int
    value_dim: int
    kv_rank: int
    query_rank: int = 0
    bias: bool = False

    def parameters(self, hidden: int) -> int:
        """Weights, biases and the norms of the latent vectors of one layer."""
        query, value = self.heads * (self.head_dim + self.rotary), self.heads * self.value_dim
        down = (self.kv_rank + self.rotary) * (hidden + self.bias) + self.kv_rank
        up = self.kv_rank * self.heads * (self.head_dim + self.value_dim)
        queries = (hidden + self.bias + 1 + query) * self.query_rank if self.query_rank else hidden * query
        return queries + down + up + (value + self.bias) * hidden

    def cache_elements(self, context: int) -> int:
        """Elements of the KV cache that one sequence leaves in one layer."""
        return (self.kv_rank + self.rotary) * context

    def operators(self, run: Pass, hidden: int) -> Iterator[Operator]:
        """From the normalised input to out_proj."""
        tokens, query = run.tokens, self.heads * (self.head_dim + self.rotary)
        if self.query_rank:
            yield linear("q_a_proj", tokens, self.query_rank, hidden, bias=self.bias)
            yield elementwise("q_a_norm", "norm", tokens, self.query_rank)
            yield linear("q_b_proj", tokens, query, self.query_rank)
        else:
            yield linear("q_proj", tokens, query, hidden)
        yield linear("kv_a_proj", tokens, self.kv_rank + self.rotary, hidden, bias=self.bias, to_cache=True)
        yield elementwise("kv_a_norm", "norm", tokens, self.kv_rank)
        yield elementwise("rotary", "rotary", tokens, (self.heads + 1) * self.rotary)
        yield from self._absorbed(run) if run.phase == "decode" else self._expanded(run)
        yield linear("out_proj", tokens, hidden, self.heads * self.value_dim, bias=self.bias)

    def _expanded(self, run: Pass) -> Iterator[Operator]:
        tokens, context, groups, key = run.tokens, run.context, run.batch * self.heads, self.head_dim + self.rotary
        shared = run.batch * context * self.rotary
        keys, values = groups * context * self.head_dim, groups * context * self.value_dim
        yield linear("k_b_proj", tokens, self.heads * self.head_dim, self.kv_rank, to_cache=True)
        yield linear("v_b_proj", tokens, self.heads * self.value_dim, self.kv_rank, to_cache=True)
        yield matmul("qk_matmul", groups, run.queries, context, key, cached=keys + shared)
        yield elementwise("softmax", "softmax", run.queries, context, batch=groups)
        yield matmul("sv_matmul", groups, run.queries, self.value_dim, context, cached=values)

    def _absorbed(self, run: Pass) -> Iterator[Operator]:
        rows, latent = run.tokens * self.heads, run.batch * run.context * self.kv_rank
        shared = run.batch * run.context * self.rotary
        yield linear("k_b_proj", rows, self.kv_rank, self.head_dim, batch=self.heads)
        yield matmul(
            "qk_matmul", run.batch, self.heads, run.context, self.kv_rank + self.rotary, cached=latent + shared
        )
        yield elementwise("softmax", "softmax", self.heads, run.context, batch=run.batch)
        yield matmul("sv_matmul", run.batch, self.heads, self.kv_rank, run.context, cached=latent)
        yield linear("v_b_proj", rows, self.value_dim, self.kv_rank, batch=self.heads)
