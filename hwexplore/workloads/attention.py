"""Attention: heads that share keys and values in groups, and multi-head latent attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hwexplore.workloads.operators import Operator
from hwexplore.workloads.passes import Group, Pass
from hwexplore.workloads.primitives import elementwise, linear, matmul

__all__ = ["SOFTCAP_OPS", "Attention", "LatentAttention"]

SOFTCAP_OPS = 3
"""Vector operations of `c tanh(x / c)`: a multiplication, the hyperbolic tangent and a multiplication."""


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
        for group in run.groups:
            yield from self._attend(group, run.recent)
        if self.sub_norm:
            yield elementwise("attn_sub_norm", "norm", tokens, query)
        yield linear("out_proj", tokens, hidden, query, bias=self.out_bias)

    def _attend(self, group: Group, recent: int) -> Iterator[Operator]:
        attended = self._attended(group.context)
        read = min(group.context, attended + group.queries - 1)
        batch, rows = group.sequences * self.kv_heads, group.queries * (self.heads // self.kv_heads)
        scores = [elementwise("softmax", "softmax", rows, attended + self.sinks, batch=batch)]
        if self.softcap:
            softcap = elementwise("softcap", "activation", rows, attended, batch=batch, ops_per_element=SOFTCAP_OPS)
            scores.insert(0, softcap)
        if recent:
            yield from _leave(group, attended - recent, 2 * self.kv_heads * self.head_dim)
        yield from _products(batch, rows, self.head_dim, self.head_dim, _parts(attended, read, recent), scores)

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

    New tokens that attend older ones run in the way that takes fewer products, which for one or a few of them is the
    absorbed one. Only the compressed cache has a `recent` part.
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
        absorbed = [group for group in run.groups if self._absorbs(group)]
        expanded = [group for group in run.groups if not self._absorbs(group)]
        rows = self.heads * sum(group.tokens for group in absorbed)
        if absorbed:
            yield linear("k_b_proj", rows, self.kv_rank, self.head_dim, batch=self.heads)
        if expanded:
            attended = sum(group.sequences * group.context for group in expanded)
            yield linear("k_b_proj", attended, self.heads * self.head_dim, self.kv_rank, to_cache=True)
            yield linear("v_b_proj", attended, self.heads * self.value_dim, self.kv_rank, to_cache=True)
        for group in absorbed:
            yield from self._attend_absorbed(group, run.recent)
        for group in expanded:
            yield from self._attend_expanded(group)
        if absorbed:
            yield linear("v_b_proj", rows, self.value_dim, self.kv_rank, batch=self.heads)
        yield linear("out_proj", tokens, hidden, self.heads * self.value_dim, bias=self.bias)

    def _absorbs(self, group: Group) -> bool:
        """Whether there are older tokens, and absorbed matrices take no more products per head than the definition."""
        if group.queries == group.context:
            return False
        up, pairs = self.kv_rank * (self.head_dim + self.value_dim), group.queries * group.context
        absorbed = group.queries * up + pairs * (2 * self.kv_rank + self.rotary)
        return absorbed <= group.context * up + pairs * (self.head_dim + self.rotary + self.value_dim)

    def _attend_expanded(self, group: Group) -> Iterator[Operator]:
        batch, queries, context = group.sequences * self.heads, group.queries, group.context
        shared = group.sequences * context * self.rotary
        keys, values = batch * context * self.head_dim, batch * context * self.value_dim
        yield matmul("qk_matmul", batch, queries, context, self.head_dim + self.rotary, cached=keys + shared)
        yield elementwise("softmax", "softmax", queries, context, batch=batch)
        yield matmul("sv_matmul", batch, queries, self.value_dim, context, cached=values)

    def _attend_absorbed(self, group: Group, recent: int) -> Iterator[Operator]:
        batch, rows, key = group.sequences, group.queries * self.heads, self.kv_rank + self.rotary
        scores = [elementwise("softmax", "softmax", rows, group.context, batch=batch)]
        if recent:
            yield from _leave(group, group.context - recent, key)
        yield from _products(batch, rows, key, self.kv_rank, _parts(group.context, group.context, recent), scores)


def _parts(attended: int, read: int, recent: int) -> list[tuple[str, int, int]]:
    """Of the older and of the `recent` part of the KV cache: suffix of the operators' names, entries that each query
    attends, entries that are read for all queries."""
    held = min(recent, attended)
    if held == 0:
        return [("", attended, read)]
    if held == attended:
        return [("_recent", attended, read)]
    return [("", attended - held, read - held), ("_recent", held, held)]


def _products(
    batch: float, rows: int, key: int, value: int, parts: list[tuple[str, int, int]], scores: list[Operator]
) -> Iterator[Operator]:
    """Queries times keys of `key` elements, the operators on `scores`, and probabilities times values."""
    for suffix, part, entries in parts:
        yield matmul(f"qk_matmul{suffix}", batch, rows, part, key, cached=batch * entries * key)
    yield from scores
    for suffix, part, entries in parts:
        yield matmul(f"sv_matmul{suffix}", batch, rows, value, part, cached=batch * entries * value)
    if len(parts) > 1:
        yield elementwise("sv_add", "residual", rows, value, batch=batch, operands=len(parts))


def _leave(group: Group, older: int, width: int) -> Iterator[Operator]:
    """The entries that as many new ones push out of the recent part are read, converted and written to the older."""
    if older > 0:
        entries = group.sequences * min(group.queries, older)
        moved = elementwise("cache_convert", "activation", entries, width, ops_per_element=0)
        yield replace(moved, kv_elements=moved.output_elements, output_elements=0)
