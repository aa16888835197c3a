"""Networks whose real predictions are measured: their forward pass in NumPy, quantized layer by layer."""

from hwexplore.quality.networks.catalog import NETWORKS, Benchmark, load
from hwexplore.quality.networks.charlm import CharLM
from hwexplore.quality.networks.measure import Quality, measure, sweep, uniform
from hwexplore.quality.networks.method import METHODS, Method
from hwexplore.quality.networks.quantized import QuantizedNetwork, quantize

__all__ = [
    "METHODS",
    "NETWORKS",
    "Benchmark",
    "CharLM",
    "Method",
    "Quality",
    "QuantizedNetwork",
    "load",
    "measure",
    "quantize",
    "sweep",
    "uniform",
]
