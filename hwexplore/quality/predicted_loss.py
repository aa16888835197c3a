"""What a profile predicts for the layers of a workload, under policies and on PEs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from hwexplore.accelerator.operator_table import stationary
from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format, Integer, Minifloat
from hwexplore.pe import PE
from hwexplore.pe.operand import Operand
from hwexplore.quality.error import accumulation_noise, operand_noise
from hwexplore.quality.profile import Profile
from hwexplore.workloads import OperandFormat, Operands, Policy, Workload
from hwexplore.workloads.policy import OPERANDS, selects

__all__ = ["ProfiledWorkload"]

Array = NDArray[np.float64]

READ = {
    "linear": ("weights", "activations"),
    "conv": ("weights", "activations"),
    "attention": ("activations", "kv_cache"),
    "embedding": ("weights",),
}
"""Operands that a profile may have rows for, by kind of operator."""


@dataclass(frozen=True)
class ProfiledWorkload:
    """A workload whose products and embeddings are sorted into the layers of a profile.

    A layer is one choice: the operators that its name selects take the same formats, and each row of the profile counts
    once for all of them. A product that the profile does not name is a layer of its own, known only in floating point
    of 16 bits and more, which adds nothing to the loss unless the profile says so. What a PE's accumulator adds to the
    noise costs a layer as much as the same noise of its formats does, in the median of its rows.

    Raises InputError for a name of the profile that selects nothing, and for an operator that two of its names select.
    """

    profile: Profile
    workload: Workload

    @cached_property
    def layers(self) -> dict[str, list[int]]:
        """The operators of each layer, by number."""
        layers: dict[str, list[int]] = {}
        known = self.profile.layers
        for number, operator in enumerate(self.workload.operators):
            names = [name for name in known if selects(name, operator)] if operator.kind in READ else []
            if len(names) > 1:
                raise InputError(f"{operator.name} is in two layers of the profile, {names[0]} and {names[1]}")
            if names or operator.is_gemm:
                layers.setdefault(names[0] if names else operator.name, []).append(number)
        for name in known:
            if name not in layers:
                raise unknown(f"layer of the profile of {self.profile.network} in {self.workload.name}", name, layers)
        return layers

    @cached_property
    def cache_ties(self) -> NDArray[np.intp]:
        """A label for each layer, equal for those that write and read the same KV cache: they need one format of it.

        In a table of operators by layer, that is one cache for each layer of the network.
        """
        operators = self.workload.operators
        written = {_block(each.name) for each in operators if each.kv_elements and each.kind != "attention"}
        blocks = [
            written & {_block(operators[member].name) for member in members if operators[member].kv_elements}
            for members in self.layers.values()
        ]
        numbers = {block: len(blocks) + number for number, block in enumerate(sorted(written))}
        edges = [(layer, numbers[block]) for layer, touched in enumerate(blocks) for block in touched]
        graph = np.zeros((len(blocks) + len(numbers),) * 2, bool)
        graph[tuple(np.array(edges, np.intp).reshape(-1, 2).T)] = True
        return np.asarray(connected_components(graph, directed=False)[1][: len(blocks)], np.intp)

    def predicted(self, policy: Policy, pe: PE) -> float:
        """Predicted loss increase of the whole workload, in units of the profile's metric.

        Raises InputError for a format that the profile has no row for.
        """
        operands = self.workload.operands(policy)
        return sum(self._increase(layer, operands, pe) for layer in self.layers)

    def by_layer(self, policies: Sequence[Policy], pe: PE) -> Array:
        """Predicted loss increase [layer, policy]; infinite where the profile has no row for a format."""
        increases = np.full((len(self.layers), len(policies)), np.inf)
        for column, policy in enumerate(policies):
            operands = self.workload.operands(policy)
            for row, layer in enumerate(self.layers):
                if self._missing(layer, operands) is None:
                    increases[row, column] = self._increase(layer, operands, pe)
        return increases

    def lacks(self, policy: Policy) -> str | None:
        """The first row that the profile would need to predict ``policy``; None if it has all."""
        operands = self.workload.operands(policy)
        return next((gap for layer in self.layers if (gap := self._missing(layer, operands))), None)

    def mix(self, policies: Sequence[Policy], options: NDArray[np.intp]) -> Policy:
        """The policy with the number ``options`` [layer] of ``policies`` in each layer.

        It is the one of most layers, with overrides for the others and for what else touches their KV caches.
        """
        base = policies[Counter(options.tolist()).most_common(1)[0][0]]
        chosen = {layer: policies[option] for layer, option in zip(self.layers, options.tolist(), strict=True)}
        caches = {
            _block(self.workload.operators[member].name): chosen[layer]
            for layer, members in self.layers.items()
            for member in members
            if self.workload.operators[member].kv_elements
        }
        inside = {member for members in self.layers.values() for member in members}
        for number, operator in enumerate(self.workload.operators):
            if operator.kv_elements and number not in inside and _block(operator.name) in caches:
                chosen[operator.name] = caches[_block(operator.name)]
        overrides = {
            layer: {name: mine for name in OPERANDS if (mine := getattr(policy, name)) != getattr(base, name)}
            for layer, policy in chosen.items()
        }
        return Policy(
            **{name: getattr(base, name) for name in OPERANDS}, overrides={k: v for k, v in overrides.items() if v}
        )

    def sums(self, values: Array) -> Array:
        """Sums [layer, ...] over the operators of each layer of ``values`` [operator, ...]."""
        return np.stack([values[members].sum(axis=0) for members in self.layers.values()])

    def _rows(self, layer: str, operands: Sequence[Operands]) -> set[tuple[str, OperandFormat]]:
        """The operands of a layer with their formats."""
        operators = self.workload.operators
        return {
            (name, getattr(operands[member], name))
            for member in self.layers[layer]
            for name in READ[operators[member].kind]
        }

    def _missing(self, layer: str, operands: Sequence[Operands]) -> str | None:
        known, used = self.profile.increases, [(name, _format(taken)) for name, taken in self._rows(layer, operands)]
        if len(dict(used)) < len(set(used)):
            return f"{layer} in one format, of which the policy gives its operators several"
        unknowns = sorted(row for row in used if (layer, *row) not in known and not _is_wide(row[1]))
        return " ".join((layer, *unknowns[0])) if unknowns else None

    def _increase(self, layer: str, operands: Sequence[Operands], pe: PE) -> float:
        if gap := self._missing(layer, operands):
            raise InputError(f"the profile of {self.profile.network} has no row for {gap}")
        used = {(layer, name, _format(taken)) for name, taken in self._rows(layer, operands)}
        formats = sum(self.profile.increases.get(row, 0) for row in used)
        noise = self._accumulation_noise(layer, operands, pe)
        return formats + (noise * self._loss_per_noise.get(layer, self._typical_loss_per_noise) if noise else 0)

    def _accumulation_noise(self, layer: str, operands: Sequence[Operands], pe: PE) -> float:
        """Noise-to-signal ratio that accumulators add, MAC-weighted over the products of the layer."""
        noise = macs = 0.0
        for member in self.layers[layer]:
            operator = self.workload.operators[member]
            if not operator.is_gemm:
                continue
            a, b = operands[member].activations, stationary(operator, operands[member])
            unit = pe.for_operands(b.consumed, a.consumed, operator.k)
            if unit is not None:
                share = accumulation_noise(unit, b.consumed, a.consumed, operator.k, b.storage.block)
                noise += operator.count * operator.macs * share
            macs += operator.count * operator.macs
        return noise / macs if macs else 0.0

    @cached_property
    def _loss_per_noise(self) -> dict[str, float]:
        """Loss increase per noise-to-signal ratio of an operand, by layer; at least the smallest positive float."""
        table = self.profile.table
        noise = table["format"].map({text: operand_noise(OperandFormat.parse(text)) for text in set(table["format"])})
        per_noise = (table["loss_increase"] / noise)[noise > 0].groupby(table["layer"]).median()
        return {str(layer): max(value, np.finfo(float).tiny) for layer, value in per_noise.items()}

    @cached_property
    def _typical_loss_per_noise(self) -> float:
        return float(np.median([*self._loss_per_noise.values()] or [0.0]))


def _block(name: str) -> str:
    """What an operator's name says of the network's layer: "layers.3" of "decode.layers.3.k_proj"."""
    return ".".join(name.split(".")[-3:-1])


@cache
def _format(operand: OperandFormat) -> str:
    """The format as profiles call it: what is computed with, if that is another and cannot hold all that is stored."""
    element, compute = operand.storage.element, operand.compute
    holds = isinstance(compute, (Integer, Minifloat)) and Operand(compute).accepts(element)
    return str(operand.storage) if holds or compute == element else f"{operand.storage}>{compute}"


@cache
def _is_wide(text: str) -> bool:
    """Whether a format is floating point of 16 bits and more, unconverted."""
    if ">" in text:
        return False
    format = Format.parse(text)
    return isinstance(format, Minifloat) and format.bits >= 16
