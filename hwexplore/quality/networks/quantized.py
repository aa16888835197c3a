"""A network with quantized weights, activations and KV cache, computed in FP32 ("fake quantization")."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format, Integer, Scaled
from hwexplore.quality import ptq
from hwexplore.quality.networks.method import Method
from hwexplore.quality.networks.network import LINEAR, Network, product
from hwexplore.quality.networks.primitives import Array
from hwexplore.quality.qsnr import check_signed
from hwexplore.workloads import Operands

__all__ = ["QuantizedLayer", "QuantizedNetwork", "equalized", "layer_inputs", "quantize"]

SAMPLES, SAMPLES_EACH = 2048, 32
"""Rows of a call that calibrate; those of inputs [rows, out, in], of which each output has few."""


@dataclass(frozen=True, kw_only=True)
class QuantizedLayer:
    """A linear layer: inputs / ``smoothing``, rotated, quantized, times ``weight`` [out, in], plus ``bias`` [out].

    ``one_scale`` as in `Network`. Inputs are [rows, in], or [rows, out, in].
    """

    operands: Operands
    method: Method
    weight: Array
    smoothing: Array | None
    one_scale: bool
    bias: Array | None = None

    def read(self, x: Array) -> Array:
        """The inputs as multiplied."""
        x, format = self.transform(x), ptq.scaled(self.operands.activations.storage)
        if self.one_scale and isinstance(format, Scaled) and format.block is None:
            return format.quantize(x.ravel()).reshape(x.shape)
        return format.quantize(x)

    def transform(self, x: Array) -> Array:
        """The inputs before they are quantized."""
        if self.smoothing is not None:
            x = x / self.smoothing
        return ptq.rotate(x, self.method.rotation_block) if self.method.rotates else x

    def __call__(self, x: Array) -> Array:
        y = product(self.read(x), self.weight)
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, kw_only=True)
class QuantizedNetwork:
    """``network`` with some of its layers quantized; all else is in FP32, with ``weights`` instead of its own.

    The ``recent`` last tokens of the KV cache, a query's own included, are not quantized.
    """

    network: Network
    quantized: Mapping[str, QuantizedLayer]
    products: Mapping[str, Operands]
    weights: Mapping[str, Array]
    recent: int = 0

    def logits(self, inputs: NDArray[Any]) -> Array:
        """As those of the network."""
        return self.network.logits(inputs, self.linear, self.read, self.recent)

    def linear(self, name: str, x: Array, weight: Array) -> Array:
        """The layer of that name as quantized, as `Network.logits` takes it."""
        return self.quantized[name](x) if name in self.quantized else product(x, self.weights.get(name, weight))

    def read(self, name: str, operand: str, x: Array) -> Array:
        """What attention reads, as `Network.logits` takes it."""
        return ptq.round_to_nearest(x, getattr(self.products[name], operand).storage) if name in self.products else x


def quantize(
    network: Network, operands: Mapping[str, Operands], method: Method, inputs: NDArray[Any], recent: int = 0
) -> QuantizedNetwork:
    """``network`` with each layer named in ``operands`` quantized to its formats, in storage, by ``method``.

    Activations have a scale per row of a layer's inputs, or per call where `Network.one_scale`, or per block of a row,
    found as they come; keys and values have one per token and head, queries and probabilities one per query. What a
    product of attention reads takes the formats of the product, whatever layer wrote it. ``inputs`` [windows, ...]
    calibrate: each layer on what it has in FP32. Raises InputError for unknown layers, for formats that round at random
    or lack values of either sign, and for methods that this network cannot.
    """
    for name, which in operands.items():
        if name not in network.operators:
            raise unknown("layer", name, network.operators)
        for operand in (which.weights, which.activations, which.kv_cache):
            _check(operand.storage)
    if not network.equalizable and (stuck := [part for part in ("equalize", "smoothquant") if part in method]):
        raise InputError(f"method {stuck[0]!r} moves factors from layer to layer; in this network none can pass")
    linear = {name: which for name, which in operands.items() if network.operators[name] == LINEAR}
    weights = {name: network.parameters[name] for name in {**dict.fromkeys(network.layers), **linear}}
    if "equalize" in method:
        weights |= equalized(network)
    samples = (
        layer_inputs(network, inputs, weights, linear)
        if method.calibrates
        else {name: np.empty_like(weights[name], shape=(0, weights[name].shape[1])) for name in linear}
    )
    layers = {
        name: _quantize(weights[name], samples[name], which, method, network.one_scale)
        for name, which in linear.items()
    }
    products = {name: which for name, which in operands.items() if name not in linear}
    return QuantizedNetwork(network=network, quantized=layers, products=products, weights=weights, recent=recent)


def _check(format: Format) -> None:
    check_signed(format)
    if format.element.max <= 0:
        raise InputError(f"{format} has no positive values to scale to; expected at least those of int2")
    if format.rounding == "stochastic":
        raise InputError(f"{format} rounds at random; what is measured here rounds nearest_even or toward_zero")


def layer_inputs(
    network: Network, inputs: NDArray[Any], weights: Mapping[str, Array], layers: Container[str]
) -> dict[str, Array]:
    """What each of ``layers`` is given [rows, in] on ``inputs`` [windows, ...], with ``weights``, in FP32.

    Of a call with many more rows than are needed some are kept, evenly spread.
    """
    seen: dict[str, list[Array]] = {}

    def record(name: str, x: Array, weight: Array) -> Array:
        if name in layers:
            rows = SAMPLES if x.ndim == 2 else SAMPLES_EACH
            seen.setdefault(name, []).append(x[:: max(1, len(x) // rows)])
        return product(x, weights.get(name, weight))

    network.logits(inputs, record)
    return {name: np.concatenate(parts) if len(parts) > 1 else parts[0] for name, parts in seen.items()}


def equalized(network: Network) -> dict[str, Array]:
    """The weights of the `Network.equalizable` pairs with equal ranges; the function stays the same."""
    weights: dict[str, Array] = {}
    for first, second in network.equalizable:
        p = {**network.parameters, **weights}
        factors = ptq.equalizing_factors(p[first], p[second]).astype(np.float32)
        weights |= {first: p[first] / factors[:, None], second: p[second] * factors}
    return weights


def _quantize(weight: Array, samples: Array, operands: Operands, method: Method, one_scale: bool) -> QuantizedLayer:
    """``samples`` [samples, in] or [samples, out, in] are none if the method does not calibrate."""
    smoothing = ptq.smoothing_factors(weight, samples).astype(np.float32) if "smoothquant" in method else None
    prepared = weight if smoothing is None else weight * smoothing
    prepared = ptq.rotate(prepared, method.rotation_block) if method.rotates else prepared
    layer = QuantizedLayer(operands=operands, method=method, weight=prepared, smoothing=smoothing, one_scale=one_scale)
    layer = replace(layer, weight=_round(prepared, layer.transform(samples), operands, method).astype(np.float32))
    if "bias" in method:
        bias = ptq.bias_correction(prepared, layer.weight, layer.transform(samples), layer.read(samples))
        layer = replace(layer, bias=bias.astype(np.float32))
    return layer


def _round(weight: Array, samples: Array, operands: Operands, method: Method) -> NDArray[Any]:
    format = operands.weights.storage
    if "dual" in method:
        if not (isinstance(format, Scaled) and isinstance(format.element, Integer) and format.block):
            raise InputError(f"method 'dual' takes integers with a scale per group, as int4_g32, not {format}")
        return ptq.dual_grain(weight, format.element_bits, format.block).values
    if not {"clip", "gptq"} & method.parts:
        return ptq.round_to_nearest(weight, format)
    grid = ptq.clipped_grid(weight, format) if "clip" in method else ptq.Grid.of(format, weight)
    return ptq.gptq(weight, samples, grid) if "gptq" in method else grid.round(weight.astype(np.float64))
