"""A network at work: the table of its operators."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import unknown
from hwexplore.workloads.operators import Operator, Unmodelled
from hwexplore.workloads.policy import Operands, Policy, selects

__all__ = ["Workload"]

NUMERIC = (*(field.name for field in fields(Operator) if field.name not in ("name", "kind")), "macs")
DESCRIPTION = ("name", "kind", "count", "batch", "m", "n", "k")
CONTAINER_BITS = 32
"""Memory word that packed elements do not straddle, in bits."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The operators of one forward pass, or of the passes of a scenario, equal ones folded, in the order they run.

    `phase` is "prefill", "decode" or the text of a scenario. `context` is the KV length attended in decode (the new
    token included), the prompt length in prefill, and what the KV cache holds of each sequence in other scenarios; a
    network without tokens has the phase "inference", in which `batch` counts its inputs (images) and `context` is 1.
    `parameters` are all those of the network; `active_parameters` leave out the experts that a token does not visit.
    `cache_elements` are those of the KV cache that memory holds. `output_tokens` are the expected tokens that a
    scenario is worth, if they are not those that `phase` tells. `policy` is the one that a quantized graph brings
    along, `unmodelled` what its operators leave out, `fused` what `fusion.fuse` left on chip, `expert_skew` how unlike
    the experts are (see `catalog.load`).
    """

    name: str
    phase: str
    batch: int
    context: int
    operators: tuple[Operator, ...]
    parameters: int
    active_parameters: int
    cache_elements: float = 0
    output_tokens: float | None = None
    policy: Policy | None = None
    unmodelled: tuple[Unmodelled, ...] = ()
    fused: tuple[str, ...] = ()
    expert_skew: float = 0

    @property
    def setting(self) -> str:
        """Name, phase, batch and context in words."""
        if self.phase == "inference":
            return f"{self.name} inference, batch {self.batch}"
        text = f"{self.name} {self.phase}, batch {self.batch}, context {self.context}"
        fused = f", fused {' and '.join(self.fused)}" if self.fused else ""
        return text + fused + (f", expert skew {self.expert_skew:g}" if self.expert_skew else "")

    @property
    def tokens(self) -> float:
        """`output_tokens`; without them those (or images) of one pass: `batch * context` in prefill, or `batch`."""
        if self.output_tokens is not None:
            return self.output_tokens
        return self.batch * (self.context if self.phase == "prefill" else 1)

    @property
    def weight_elements(self) -> float:
        """Weight elements that one pass reads."""
        return sum(operator.count * operator.weight_elements for operator in self.operators)

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """The numeric fields of the operators and `macs`, each as an array `[operators]`."""
        return {
            name: np.array([getattr(operator, name) for operator in self.operators], dtype=np.float64)
            for name in NUMERIC
        }

    def operands(self, policy: Policy) -> tuple[Operands, ...]:
        """The operand formats of each operator.

        Raises InputError if the policy overrides an operator or kind that this workload does not have.
        """
        for selector in policy.overrides:
            if not any(selects(selector, operator) for operator in self.operators):
                known = {part for row in self.operators for part in (row.kind, row.name, *row.name.split("."))}
                raise unknown(f"operator or kind in the policy overrides for {self.name}", selector, known)
        return tuple(policy.operands(operator) for operator in self.operators)

    def resident_bytes(self, policy: Policy) -> float:
        """Bytes that memory has to hold: all weights and the KV cache, at the mean width of those that a pass reads,
        and the tensors that an optimizer reads."""
        frame, columns = self.to_frame(policy), self.columns()
        cached = np.where(frame["kind"] == "attention", columns["count"], 0)

        def mean_bytes(count: NDArray[np.float64], operand: str) -> float:
            return float(count @ frame[f"{operand}_bytes"] / max(count @ columns[f"{operand}_elements"], 1))

        held = self.parameters * mean_bytes(columns["count"], "weight") + self.cache_elements * mean_bytes(cached, "kv")
        optimizer = np.where(frame["kind"] == "optimizer", columns["count"], 0)
        return held + float(optimizer @ frame["activation_bytes"])

    def to_frame(self, policy: Policy) -> pd.DataFrame:
        """A row per operator: name, kind, count, batch, m, n, k, macs, vector_ops and the bytes of each tensor.

        Bytes are those of one such operator, in the storage formats of `policy` packed into 32-bit words; outputs are
        stored as activations, except those of the K and V projections, which are `kv_bytes`.
        """
        operands = self.operands(policy)
        columns = self.columns()

        def stored(elements: str, operand: str) -> NDArray[np.float64]:
            formats = (getattr(row, operand).storage for row in operands)
            bits: NDArray[np.float64] = np.array([format.packed_bits(CONTAINER_BITS) for format in formats])
            return columns[elements] * bits / 8

        return pd.DataFrame(
            {
                **{name: [getattr(operator, name) for operator in self.operators] for name in DESCRIPTION},
                "macs": columns["macs"],
                "vector_ops": columns["vector_ops"],
                "weight_bytes": stored("weight_elements", "weights"),
                "activation_bytes": stored("activation_elements", "activations"),
                "output_bytes": stored("output_elements", "activations"),
                "kv_bytes": stored("kv_elements", "kv_cache"),
            }
        )
