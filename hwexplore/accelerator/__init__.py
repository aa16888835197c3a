"""PE arrays with memories: dataflow, tiling, roofline, and the latency, energy and area that follow."""

from hwexplore.accelerator.cycles import DATAFLOWS, cycles
from hwexplore.accelerator.designs import PARAMETERS, Choices
from hwexplore.accelerator.devices import Modelled, Published
from hwexplore.accelerator.evaluate import Evaluator, Fidelity, totals
from hwexplore.accelerator.links import Link, link
from hwexplore.accelerator.metrics import METRICS
from hwexplore.accelerator.model import REASONS, Breakdown, Model
from hwexplore.accelerator.presets import Preset, preset
from hwexplore.accelerator.serving import Serving, serve
from hwexplore.accelerator.systolic import SystolicArray

__all__ = [
    "DATAFLOWS",
    "METRICS",
    "PARAMETERS",
    "REASONS",
    "Breakdown",
    "Choices",
    "Evaluator",
    "Fidelity",
    "Link",
    "Model",
    "Modelled",
    "Preset",
    "Published",
    "Serving",
    "SystolicArray",
    "cycles",
    "link",
    "preset",
    "serve",
    "totals",
]
