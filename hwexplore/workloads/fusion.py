"""Fusion: operators that run together, so that the tensors between them stay on chip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import ceil
from typing import Literal, get_args

from hwexplore.errors import InputError, unknown
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.workload import Workload

__all__ = ["KV_BLOCK", "Fusion", "fuse"]

Fusion = Literal["attention", "elementwise"]

KV_BLOCK = 64
"""Keys between updates of the running maximum, the smaller of FlashAttention-2 (arXiv 2307.08691, section 3.3)."""
UPDATE_OPS = 5
"""Vector operations of an update per query, besides scaling the outputs so far: maximum, difference and exponential,
product and addition for the sum (the same, algorithm 1, lines 9 and 10)."""

ATTENTION = ("qk_matmul", "qk_matmul_recent", "softcap", "softmax", "sv_matmul", "sv_matmul_recent")
IN_PLACE = ("q_a_norm", "kv_a_norm", "qk_norm", "rotary")
"""Change what the projections before them write."""
STARTS = ("attn_norm", "mlp_norm", "final_norm")
"""Read what the addition before them writes, which is added to later as well."""
CHAINS = (
    (("gate_proj", "up_proj"), ("mlp_act",), ("mlp_sub_norm",)),
    (("shared_gate_proj", "shared_up_proj"), ("shared_mlp_act",), ("shared_mlp_sub_norm",)),
    (("qk_matmul", "qk_matmul_recent"), ("softcap",), ("softmax",)),
    (("sv_matmul", "sv_matmul_recent"), ("sv_add",), ("attn_sub_norm",)),
    (("out_proj",), ("attn_post_norm",), ("attn_add",)),
    (("down_proj", "expert_sum"), ("mlp_post_norm",), ("mlp_add", "block_add")),
    (("shared_down_proj",), ("expert_sum",)),
    (("router",), ("router_softmax",)),
    (("shared_gate",), ("shared_sigmoid",)),
    (("lm_head",), ("logit_softcap",)),
)
"""Of the operators that there are of each chain, every one reads what those before it write, and no other does."""
ADDITIONS = ("attn_add", "mlp_add", "block_add", "expert_sum")
"""Read tensors from elsewhere too."""


def fuse(workload: Workload, kinds: Iterable[str] = get_args(Fusion)) -> Workload:
    """A pass of a language model with fused operators; `kinds` are "attention", "elementwise" or both.

    - "attention": scores and probabilities are neither written nor read (FlashAttention-2, arXiv 2307.08691). Softmax
      keeps a running maximum and sum for every `KV_BLOCK` keys and scales the outputs so far when they change; it
      divides the outputs instead of the probabilities. Keys and values are read once for every tile of queries.
    - "elementwise": activations, norms, softmax, rotation, soft caps and additions ride on the product before them, and
      what is between is neither written nor read. What is used later too is still written.

    Names, counts and products stay as they are. The experts' outputs, which come at different times, are still written
    and read by their sum. Raises InputError for graphs, in which operators alike are folded, so that it is not known
    who reads what, and for training, which needs the tensors again.
    """
    names = tuple(name for name in dict.fromkeys(kinds) if name not in workload.fused)
    for name in names:
        if name not in get_args(Fusion):
            raise unknown("fusion", name, get_args(Fusion))
    if names and workload.phase.strip().startswith(("inference", "training")):
        raise InputError(
            f"fuse is {', '.join(names)}, but {workload.setting} keeps its tensors apart; expected a language model in "
            "another phase than training, or nothing to fuse."
        )
    operators = workload.operators
    if "attention" in names:
        operators = tuple(_fused_attention(operators))
    if "elementwise" in names:
        operators = tuple(_fused_elementwise(operators))
    return replace(workload, operators=operators, fused=(*workload.fused, *names))


def _fused_attention(operators: tuple[Operator, ...]) -> Iterator[Operator]:
    for place, operator in enumerate(operators):
        name = _local(operator)
        if name not in ATTENTION:
            yield operator
        elif name.startswith("sv_matmul"):
            yield replace(operator, activation_elements=0)
        elif name.startswith("qk_matmul"):
            yield replace(operator, output_elements=0)
        else:
            ops = operator.vector_ops
            if name == "softmax":
                outputs = next(row.n for row in operators[place:] if _local(row).startswith("sv_matmul"))
                updates = ceil(operator.n / KV_BLOCK) - 1
                rows = operator.batch * operator.m
                ops += rows * (updates * (UPDATE_OPS + outputs) + outputs) - operator.output_elements
            yield replace(operator, activation_elements=0, output_elements=0, vector_ops=ops)


def _fused_elementwise(operators: tuple[Operator, ...]) -> Iterator[Operator]:
    present = defaultdict(set)
    for operator in operators:
        present[_scope(operator)].add(_local(operator))
    for operator in operators:
        name, reads, writes = _local(operator), operator.activation_elements, operator.output_elements
        if name in (*IN_PLACE, *STARTS):
            reads = 0
        if name in IN_PLACE:
            writes = 0
        for chain in CHAINS:
            links = [link for link in chain if present[_scope(operator)].intersection(link)]
            at = next((place for place, link in enumerate(links) if name in link), None)
            if at is None or (name == "down_proj" and operator.batch != 1):
                continue
            if at > 0:
                reads = reads - operator.output_elements if name in ADDITIONS else 0
            if at < len(links) - 1:
                writes = 0
        yield replace(operator, activation_elements=reads, output_elements=writes)


def _local(operator: Operator) -> str:
    """The name without pass, layer and group of experts."""
    return operator.name.rpartition(".")[2]


def _scope(operator: Operator) -> str:
    return operator.name.rpartition(".")[0]
