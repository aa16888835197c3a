"""Published accelerators, and the roofline of a workload on one of them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
import tomllib

from hwexplore.accelerator.operator_table import stationary
from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format, Integer, Minifloat
from hwexplore.workloads import Operands, Operator, Policy, Workload

__all__ = ["COMPUTE_FORMATS", "Figure", "Preset", "preset", "presets", "roofline", "totals"]

COMPUTE_FORMATS = {"int4": (0, 4), "int8": (0, 8), "fp8": (5, 4), "fp16": (5, 11), "bf16": (8, 8), "fp32": (8, 24)}
"""Exponent and significand bits of the formats that accelerators compute in, the preferred first.

One holds another without loss if it has at least as many of both; fp8 stands for E4M3 and E5M2.
"""

UNITS = {
    "node": "",
    "peak_ops_per_s": "op/s",
    "vector_ops_per_s": "op/s",
    "bandwidth_bytes_per_s": "B/s",
    "memory_bytes": "B",
    "on_chip_bytes": "B",
    "power_w": "W",
    "area_mm2": "mm2",
    "launch_s": "s",
    "efficiency": "",
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One published figure and where it comes from; ``value`` is None where nothing is published."""

    name: str
    value: float | str | None
    unit: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An accelerator as its maker describes it.

    ``peak_ops_per_s`` of matrix products, dense and with two operations per MAC, and ``vector_ops_per_s`` of all else,
    by compute format; an empty ``vector_ops_per_s`` means that no rate is published. ``on_chip_bytes`` are caches and
    scratchpads, ``power_w`` the thermal design power. ``launch_s`` and ``efficiency`` are those of measured matrix
    products, see ``hwexplore.accelerator.silicon``. ``sources`` has a text for each figure.
    """

    name: str
    description: str
    node: str
    peak_ops_per_s: Mapping[str, float]
    vector_ops_per_s: Mapping[str, float]
    bandwidth_bytes_per_s: float
    memory_bytes: float
    on_chip_bytes: float
    power_w: float | None = None
    area_mm2: float | None = None
    launch_s: float | None = None
    efficiency: float | None = None
    sources: Mapping[str, str]

    def figures(self) -> Iterator[Figure]:
        """Every figure with unit and source, rates as ``peak_ops_per_s.int8``."""
        values = vars(self) | {
            f"{field}.{name}": rate
            for field in ("peak_ops_per_s", "vector_ops_per_s")
            for name, rate in getattr(self, field).items()
        }
        for name, source in self.sources.items():
            value = values[name] or None
            yield Figure(name=name, value=value, unit=UNITS[name.partition(".")[0]], source=source)


@cache
def presets() -> tuple[Preset, ...]:
    """The accelerators that ship with hwexplore, by name."""
    folder = files("hwexplore.models") / "accelerators"
    texts = (file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".toml"))
    return tuple(sorted((Preset(**tomllib.loads(text)) for text in texts), key=lambda preset: preset.name))


def preset(name: str) -> Preset:
    """The accelerator called ``name``; InputError if there is none."""
    known = {preset.name: preset for preset in presets()}
    if name not in known:
        raise unknown("accelerator", name, known)
    return known[name]


def roofline(workload: Workload, policy: Policy, preset: Preset, measured: bool = False) -> pd.DataFrame:
    """A row per operator: how fast ``preset`` runs it if all its bytes move once and nothing else limits it.

    With ``measured``, it takes the launch overhead and its roofline over the efficiency, both from measured products;
    InputError where there are none.

    Columns are those of one such operator, of which there are ``count``: name, kind, count, macs, vector_ops, bytes,
    ``intensity`` (operations per byte, two per MAC; infinite where fusion leaves nothing to move), ``format`` (the
    narrowest that holds both operands of a product, or the activations of the others), ``runs_as`` (the narrowest such
    format that the accelerator has a peak for; None where it has no vector rate), ``peak_ops_per_s`` (infinite without
    a rate), ``attainable_ops_per_s``, ``time_s``, ``bound`` (compute, memory or launch) and ``share`` of all ``count``
    in the latency.

    Source: Williams, Waterman and Patterson, Roofline, CACM 2009. Conversions between storage and compute formats are
    taken to cost nothing. InputError for a product in a format that ``preset`` does not compute.
    """
    frame = workload.to_frame(policy)
    operands = workload.operands(policy)
    placed = [_place(*pair, preset) for pair in zip(workload.operators, operands, strict=True)]
    formats, runs_as, peaks = zip(*placed, strict=True)
    count, peak = frame["count"].to_numpy(), np.array(peaks)
    ops = 2 * frame["macs"].to_numpy() + frame["vector_ops"].to_numpy()
    moved = frame[["weight_bytes", "activation_bytes", "output_bytes", "kv_bytes"]].to_numpy().sum(axis=1)
    compute_s, memory_s = ops / peak, moved / preset.bandwidth_bytes_per_s
    launch_s, efficiency = _measured(preset) if measured else (0, 1)
    busy_s = np.maximum(compute_s, memory_s) / efficiency
    time_s = launch_s + busy_s
    with np.errstate(divide="ignore"):
        intensity = ops / moved
    return frame[["name", "kind", "count", "macs", "vector_ops"]].assign(
        bytes=moved,
        intensity=intensity,
        format=formats,
        runs_as=pd.Series(runs_as, dtype=object),
        peak_ops_per_s=peak,
        attainable_ops_per_s=ops / time_s,
        time_s=time_s,
        bound=np.select([launch_s > busy_s, memory_s > compute_s], ["launch", "memory"], "compute"),
        share=count * time_s / (count @ time_s),
    )


def totals(operators: pd.DataFrame, tokens: float) -> dict[str, float]:
    """Of a pass over the rows of ``roofline`` that processes ``tokens``: latency_s, tokens_per_s, fraction_of_peak.

    The last is the part of the latency that the operations take at their peaks.
    """
    count, time_s = operators["count"].to_numpy(), operators["time_s"].to_numpy()
    latency_s = float(count @ time_s)
    at_peak = operators["attainable_ops_per_s"].to_numpy() / operators["peak_ops_per_s"].to_numpy()
    return {
        "latency_s": latency_s,
        "tokens_per_s": tokens / latency_s,
        "fraction_of_peak": float(count @ (time_s * at_peak)) / latency_s,
    }


def _measured(preset: Preset) -> tuple[float, float]:
    if preset.launch_s is None or preset.efficiency is None:
        known = ", ".join(other.name for other in presets() if other.launch_s is not None)
        raise InputError(f"{preset.name} has no measured launch overhead and efficiency; {known} have")
    return preset.launch_s, preset.efficiency


def _place(operator: Operator, operands: Operands, preset: Preset) -> tuple[str, str | None, float]:
    """Format of the operation, format that it runs as, and peak of that."""
    formats = [operands.activations.compute]
    rates = preset.vector_ops_per_s
    if operator.is_gemm:
        formats.append(stationary(operator, operands).compute)
        rates = preset.peak_ops_per_s
    exponent, significand = np.max([_bits(format) for format in formats], axis=0).tolist()
    wanted = _narrowest(exponent, significand, COMPUTE_FORMATS)
    runs_as = _narrowest(exponent, significand, rates)
    if wanted is None:
        raise InputError(
            f"{operator.name} computes in {' x '.join(map(str, formats))}; "
            f"expected formats that one of {', '.join(COMPUTE_FORMATS)} holds"
        )
    if runs_as is None and rates:
        raise InputError(
            f"{operator.name} computes in {wanted}, which {preset.name} does not; it computes in {', '.join(rates)}"
        )
    return wanted, runs_as, rates[runs_as] if runs_as else np.inf


def _narrowest(exponent: int, significand: int, formats: Container[str]) -> str | None:
    """The first of ``formats`` that holds values of so many bits."""
    for name, (exponent_bits, significand_bits) in COMPUTE_FORMATS.items():
        if name in formats and exponent_bits >= exponent and significand_bits >= significand:
            return name
    return None


def _bits(format: Format) -> tuple[int, int]:
    """Exponent and significand bits; bipolar integers are odd numbers of one bit more, unsigned ones run as signed."""
    if isinstance(format, Minifloat):
        return format.exponent_bits, format.mantissa_bits + 1
    assert isinstance(format, Integer)
    return 0, format.width + (format.coding == "bipolar")
