"""Which number format on which hardware: models, RTL and Pareto search for AI accelerators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwexplore import accelerator, fpga, quality, rtl, technology, workloads
    from hwexplore.formats import Format
    from hwexplore.pe import PE
    from hwexplore.report import plot, write_report
    from hwexplore.search import Space, explore
    from hwexplore.workloads import Policy

__all__ = [
    "PE",
    "Format",
    "Policy",
    "Space",
    "accelerator",
    "explore",
    "fpga",
    "plot",
    "quality",
    "rtl",
    "technology",
    "workloads",
    "write_report",
]

_HOMES = {
    "Format": "formats",
    "PE": "pe",
    "Policy": "workloads",
    "Space": "search",
    "explore": "search",
    "plot": "report",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("hwexplore")
    if name in _HOMES:
        return getattr(import_module(f"hwexplore.{_HOMES[name]}"), name)
    if name in __all__:
        return import_module(f"hwexplore.{name}")
    raise AttributeError(f"module 'hwexplore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
