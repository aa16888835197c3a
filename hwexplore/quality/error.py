"""The error that a design makes, from the theory of its formats and the arithmetic of its PEs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.operator_table import stationary
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.pe.codes import without_tensor_scale
from hwexplore.pe.operands import standard_deviation
from hwexplore.quality.crest import crest_factor
from hwexplore.quality.gaussian import noise_to_signal
from hwexplore.workloads import OperandFormat, Policy, Workload

__all__ = ["accumulation_noise", "operand_noise", "policy_error"]

OUTPUTS = 16
"""Rows and columns of the Monte Carlo product behind :func:`accumulation_noise`."""

MOST_TERMS = 2**21
"""Terms up to which sums are sampled; eight times the longest context of the catalogue."""


def policy_error(workload: Workload, policy: Policy, pe: PE) -> float:
    """MAC-weighted mean noise-to-signal ratio at the outputs of the workload's products.

    Per product the sum of the noise-to-signal ratios of its two operands, as stored and as computed, and of the PE's
    accumulator; products that the PE does not accept run in FP16 with an accumulator that adds no error.
    """
    noise = macs = 0.0
    for operator, operands in zip(workload.operators, workload.operands(policy), strict=True):
        if not operator.is_gemm:
            continue
        a, b = operands.activations, stationary(operator, operands)
        total = operand_noise(a) + operand_noise(b)
        unit = pe.for_operands(b.consumed, a.consumed, operator.k)
        if unit is not None:
            if operator.k > MOST_TERMS:
                raise InputError(
                    f"{operator.name} adds up k = {operator.k} products; expected at most {MOST_TERMS}, up to which "
                    "the accumulator's noise is sampled."
                )
            total += accumulation_noise(unit, b.consumed, a.consumed, operator.k, b.storage.block)
        noise += operator.count * operator.macs * total
        macs += operator.count * operator.macs
    if not macs:
        raise InputError(f"workload {workload.name} has no matrix products, hence no error to average")
    return noise / macs


@lru_cache(maxsize=4096)
def operand_noise(operand: OperandFormat) -> float:
    """Noise-to-signal ratio of one operand: of its storage and, where it is converted, of what the PE consumes."""
    noise = noise_to_signal(operand.storage)
    return noise if operand.compute == operand.storage.element else noise + noise_to_signal(operand.compute)


@lru_cache(maxsize=4096)
def accumulation_noise(pe: PE, weight: Format, activation: Format, terms: int, block: int | None = None) -> float:
    """Noise-to-signal ratio that ``pe``'s accumulator adds to sums of ``terms`` products.

    Monte Carlo of the golden model on Gaussian operands with a fixed seed, scaled to the typical crest factor of
    ``block`` weights (None: a channel) and of a channel of activations; the reference is the exact sum. Infinite where
    a floating-point accumulator overflows; 0 where the operands are so coarse that all become zero.
    """
    if pe.is_exact(weight, activation, terms):
        return 0.0
    w = _sample(weight, crest_factor(block), terms, seed=0)
    a = _sample(activation, crest_factor(None), terms, seed=1)
    weights, activations = (without_tensor_scale(codes) for codes in (pe.weight.encode(w), pe.activation.encode(a)))
    exact = pe.activation.decode(activations) @ pe.weight.decode(weights).T
    if not exact.any():
        return 0.0
    sums = pe.decode(pe.golden(weights, activations))
    return float(np.mean((sums - exact) ** 2) / np.mean(exact**2)) if np.isfinite(sums).all() else np.inf


@lru_cache(maxsize=256)
def _sample(format: Format, crest: float, terms: int, seed: int) -> NDArray[np.float64]:
    values = np.random.default_rng(seed).standard_normal((OUTPUTS, terms)) * standard_deviation(format, crest)
    return np.asarray(format.quantize(values), float)
