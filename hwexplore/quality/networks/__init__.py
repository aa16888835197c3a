"""Networks whose real predictions are measured: their forward pass in NumPy, quantized layer by layer."""

from hwexplore.quality.networks.benchmark import Benchmark, Examples, Metric
from hwexplore.quality.networks.catalog import NETWORKS, load
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.measure import Quality, measure, sweep, uniform
from hwexplore.quality.networks.method import METHODS, Method
from hwexplore.quality.networks.network import Network
from hwexplore.quality.networks.quantized import QuantizedNetwork, quantize

__all__ = [
    "METHODS",
    "NETWORKS",
    "Benchmark",
    "Decoder",
    "Examples",
    "Method",
    "Metric",
    "Network",
    "Quality",
    "QuantizedNetwork",
    "load",
    "measure",
    "quantize",
    "sweep",
    "uniform",
]
