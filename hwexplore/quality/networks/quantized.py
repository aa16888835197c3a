"""A network with quantized weights, activations and KV cache, computed in FP32 ("fake quantization")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format, Integer, Scaled
from hwexplore.quality import ptq
from hwexplore.quality.networks.charlm import CharLM
from hwexplore.quality.networks.method import Method
from hwexplore.quality.networks.primitives import Array
from hwexplore.quality.qsnr import check_signed
from hwexplore.workloads import Operands

__all__ = ["QuantizedLayer", "QuantizedNetwork", "calibration_inputs", "equalized", "quantize"]


@dataclass(frozen=True, kw_only=True)
class QuantizedLayer:
    """A linear layer: inputs / ``smoothing``, rotated, quantized, times ``weight`` [out, in], plus ``bias`` [out]."""

    operands: Operands
    method: Method
    weight: Array
    smoothing: Array | None
    bias: Array | None = None

    def read(self, x: Array) -> Array:
        """The inputs [tokens, in] as multiplied."""
        return ptq.round_to_nearest(self.transform(x), self.operands.activations.storage)

    def transform(self, x: Array) -> Array:
        """The inputs [tokens, in] before they are quantized."""
        if self.smoothing is not None:
            x = x / self.smoothing
        return ptq.rotate(x, self.method.rotation_block) if self.method.rotates else x

    def __call__(self, x: Array) -> Array:
        y = self.read(x) @ self.weight.T
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, kw_only=True)
class QuantizedNetwork:
    """``model`` with some of its layers quantized; the others, embedding, norms and head are in FP32.

    The ``recent`` last tokens of the KV cache, a query's own included, are not quantized.
    """

    model: CharLM
    quantized: Mapping[str, QuantizedLayer]
    recent: int = 0

    def logits(self, tokens: NDArray[Any]) -> Array:
        """As those of the model."""
        return self.model.logits(tokens, self.linear, self.cache, self.recent)

    def linear(self, name: str, x: Array, weight: Array) -> Array:
        """The layer of that name as quantized, as `CharLM.logits` takes it."""
        return self.quantized[name](x) if name in self.quantized else x @ weight.T

    def cache(self, name: str, x: Array) -> Array:
        """Keys or values as stored, as `CharLM.logits` takes it."""
        if name not in self.quantized:
            return x
        return ptq.round_to_nearest(x, self.quantized[name].operands.kv_cache.storage)


def quantize(
    model: CharLM, operands: Mapping[str, Operands], method: Method, tokens: NDArray[Any], recent: int = 0
) -> QuantizedNetwork:
    """``model`` with each layer named in ``operands`` quantized to its formats, in storage, by ``method``.

    Activations have a scale per token, or per block of it, found as they come; keys and values have one per token and
    head. The KV cache takes the formats of the layers that write it, ``i.key`` and ``i.value``. ``tokens`` [windows,
    time] calibrate: each layer on the inputs that it has in FP32. Raises InputError for unknown layers
    and for formats that round at random or lack values of either sign.
    """
    for name, which in operands.items():
        if name not in model.layers:
            raise unknown("layer", name, model.layers)
        for operand in (which.weights, which.activations, which.kv_cache):
            _check(operand.storage)
    if "equalize" in method:
        model = equalized(model)
    samples = calibration_inputs(model, tokens if method.calibrates else tokens[:1])
    layers = {name: _quantize(model.parameters[name], samples[name], which, method) for name, which in operands.items()}
    return QuantizedNetwork(model=model, quantized=layers, recent=recent)


def _check(format: Format) -> None:
    check_signed(format)
    if format.element.max <= 0:
        raise InputError(f"{format} has no positive values to scale to; expected at least those of int2")
    if format.rounding == "stochastic":
        raise InputError(f"{format} rounds at random; what is measured here rounds nearest_even or toward_zero")


def calibration_inputs(model: CharLM, tokens: NDArray[Any]) -> dict[str, Array]:
    """The inputs [tokens, in] of every linear layer on ``tokens`` [windows, time]."""
    inputs: dict[str, Array] = {}

    def record(name: str, x: Array, weight: Array) -> Array:
        inputs[name] = x
        return x @ weight.T

    model.logits(tokens, record)
    return inputs


def equalized(model: CharLM) -> CharLM:
    """The same function with the weight ranges of `CharLM.equalizable` pairs equalized."""
    parameters = dict(model.parameters)
    for first, second in model.equalizable:
        factors = ptq.equalizing_factors(parameters[first], parameters[second]).astype(np.float32)
        parameters[first] = parameters[first] / factors[:, None]
        parameters[second] = parameters[second] * factors
    return replace(model, parameters=parameters)


def _quantize(weight: Array, samples: Array, operands: Operands, method: Method) -> QuantizedLayer:
    smoothing = ptq.smoothing_factors(weight, samples).astype(np.float32) if "smoothquant" in method else None
    prepared = weight if smoothing is None else weight * smoothing
    prepared = ptq.rotate(prepared, method.rotation_block) if method.rotates else prepared
    layer = QuantizedLayer(operands=operands, method=method, weight=prepared, smoothing=smoothing)
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
    grid = ptq.clipped_grid(weight, format) if "clip" in method else ptq.Grid.of(format, weight)
    return ptq.gptq(weight, samples, grid) if "gptq" in method else grid.round(weight.astype(np.float64))
