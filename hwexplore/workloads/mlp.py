"""Feed-forward parts of a transformer layer: one MLP, or a mixture of experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.workloads.operators import Operator
from hwexplore.workloads.primitives import elementwise, linear

__all__ = ["LOAD_GROUPS", "Mixture", "Mlp"]

LOAD_GROUPS = 4
"""Groups of about equal load that experts of unlike popularity are tabulated in."""

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Mlp:
    """Up to `width` and back down.

    `gated` multiplies two projections up (SwiGLU and its kin); `sub_norm` normalises the input of down_proj (BitNet).
    """

    width: int
    gated: bool = True
    bias: bool = False
    sub_norm: bool = False

    def parameters(self, hidden: int) -> int:
        """Weights, biases and the norm."""
        ups = 2 if self.gated else 1
        biases = (ups * self.width + hidden) * self.bias
        return (ups + 1) * hidden * self.width + biases + self.width * self.sub_norm

    def active_parameters(self, hidden: int) -> int:
        """The parameters that take part in one token: all."""
        return self.parameters(hidden)

    def operators(self, tokens: float, hidden: int, *, prefix: str = "", experts: float = 1) -> Iterator[Operator]:
        """From the normalised input to down_proj; `experts` such MLPs share the tokens evenly."""
        for name in ("gate_proj", "up_proj") if self.gated else ("up_proj",):
            yield linear(prefix + name, tokens, self.width, hidden, bias=self.bias, batch=experts)
        yield elementwise(prefix + "mlp_act", "activation", tokens, self.width, operands=2 if self.gated else 1)
        if self.sub_norm:
            yield elementwise(prefix + "mlp_sub_norm", "norm", tokens, self.width)
        yield linear(prefix + "down_proj", tokens, hidden, self.width, bias=self.bias, batch=experts)


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A router sends each token to `experts_per_token` of `experts` MLPs; all tokens visit `shared`.

    Tokens choose independently of each other. With `skew` 0 all experts are alike; otherwise the probability that a
    token visits the i-th most popular one is proportional to `i ** -skew`, and at most 1 (Zipf's law).

    `router_bias` adds a learned bias per expert; the function that turns the router's logits into gates is priced as a
    softmax over all experts. `shared_gate` weighs the shared MLP by a sigmoid of a projection to one (Qwen2-MoE).
    """

    experts: int
    experts_per_token: int
    expert: Mlp
    shared: Mlp | None = None
    router_bias: bool = False
    shared_gate: bool = False
    skew: float = 0

    def parameters(self, hidden: int) -> int:
        """Router, all experts and the shared MLP."""
        return self._parameters(hidden, self.experts)

    def active_parameters(self, hidden: int) -> int:
        """The parameters that take part in one token: all but the experts it does not visit."""
        return self._parameters(hidden, self.experts_per_token)

    def _parameters(self, hidden: int, experts: int) -> int:
        router = self.experts * (hidden + self.router_bias) + hidden * self.shared_gate
        shared = self.shared.parameters(hidden) if self.shared else 0
        return router + experts * self.expert.parameters(hidden) + shared

    def operators(self, tokens: float, hidden: int) -> Iterator[Operator]:
        """From the normalised input to the sum of the experts.

        `t` tokens touch an expert that each of them visits with probability `p` with probability `1 - (1 - p)^t`. Rows
        stand for the expected number of touched experts and share the expected tokens evenly; with `skew`, those of
        `LOAD_GROUPS` groups of experts, named "experts_0.gate_proj" and so on from the most popular ones.
        """
        chosen = self.experts_per_token
        yield linear("router", tokens, self.experts, hidden, bias=self.router_bias)
        yield elementwise("router_softmax", "softmax", tokens, self.experts)
        for number, visits in enumerate(groups := self._groups()):
            with np.errstate(divide="ignore"):
                touched = -float(np.expm1(tokens * np.log1p(-visits)).sum())
            prefix = f"experts_{number}." if len(groups) > 1 else ""
            yield from self.expert.operators(tokens * float(visits.sum()), hidden, prefix=prefix, experts=touched)
        if self.shared:
            yield from self.shared.operators(tokens, hidden, prefix="shared_")
        if self.shared_gate:
            yield linear("shared_gate", tokens, 1, hidden)
            yield elementwise("shared_sigmoid", "activation", tokens, 1)
        parts = chosen + (self.shared is not None)
        yield elementwise("expert_sum", "residual", tokens, hidden, operands=parts, ops_per_element=2 * parts - 1)

    def _groups(self) -> list[NDArray[np.float64]]:
        """Probabilities of the visit of a token to each expert, in groups from the most popular experts on."""
        if not self.skew:
            return [np.full(self.experts, self.experts_per_token / self.experts)]
        visits = self.visits
        load = np.cumsum(visits) - visits / 2
        group = np.floor(LOAD_GROUPS * load / load[-1] * (1 - 1e-9))
        return np.split(visits, np.flatnonzero(np.diff(group)) + 1)

    @property
    def visits(self) -> NDArray[np.float64]:
        """Probability that a token visits each expert, [expert], the most popular one first."""
        popularity = np.arange(1.0, self.experts + 1) ** -self.skew
        others = np.cumsum(popularity[::-1])[::-1]
        free = np.arange(self.experts_per_token, 0, -1)
        share = free * popularity[: free.size] / others[: free.size]
        sure = int(np.argmax(share <= 1 + ROUNDING))
        return np.append(np.ones(sure), np.minimum(free[sure] * popularity[sure:] / others[sure], 1))
