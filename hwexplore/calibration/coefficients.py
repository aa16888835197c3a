"""The coefficients of a node as a file of models/calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from hwexplore import technology as technologies
from hwexplore.calibration.fit import fit
from hwexplore.calibration.liberty import read_liberty
from hwexplore.calibration.primitives import characterise, operating_point
from hwexplore.calibration.residuals import predictions, summary
from hwexplore.errors import InputError
from hwexplore.technology import Primitive, Technology

__all__ = ["FITTED_SPREADS", "calibrated", "start", "toml"]

FITTED_SPREADS = ("logic_area", "register_area", "logic_energy", "register_energy", "delay")


def start(node: str, liberty: Iterable[Path]) -> Technology:
    """The technology called ``node`` with primitives priced by the cells of its library alone."""
    library = read_liberty(*liberty)
    cells = characterise(library, operating_point(library))
    primitives = {name: Primitive(**cost, source="liberty") for name, cost in cells.items()}  # type: ignore[arg-type]
    return replace(technologies.load(node), primitives=primitives)


def calibrated(measured: pd.DataFrame, start: Technology) -> Technology:
    """``start`` fitted to those of its synthesised PEs that are not held out; its source names the residuals."""
    of_node = measured[measured["node"] == start.name]
    if of_node.empty:
        raise InputError(f"the table has no PEs of {start.name}")
    fitted = fit(of_node[~of_node["held_out"]], start, "fit")
    held_out = summary(predictions(of_node[of_node["held_out"]], fitted), ["metric"]).set_index("metric")
    residuals = "; ".join(f"{metric} {row.mape:.1f} % (worst {row.worst:.0f} %)" for metric, row in held_out.iterrows())
    count = of_node["pe"].nunique()
    source = (
        f"hwexplore.calibration.fit, {date.today():%Y-%m}: {count} PEs synthesised with Yosys {version('pyosys')} "
        f"and ABC, timed with NLDM tables, power by timed simulation of Gaussian operands; mean absolute error on "
        f"{of_node[of_node['held_out']]['pe'].nunique()} held-out PEs: {residuals}"
    )
    return replace(fitted, sources={**fitted.sources, "fit": source})


def toml(technology: Technology) -> str:
    """What was calibrated, as TOML."""
    lines = ["[sources]", f'fit = "{technology.sources["fit"]}"', ""]
    for name, primitive in technology.primitives.items():
        lines += [f"[primitives.{name}]", *_fields(primitive), ""]
    lines += ["[sizing]", *_fields(technology.sizing), "", "[glitches]", *_fields(technology.glitches), ""]
    for factor in FITTED_SPREADS:
        lines += [f"[spread.{factor}]", f"sigma = {technology.spread[factor]:.3g}"]
        lines += [f'source = "{technology.spread_sources[factor]}"', ""]
    return "\n".join(lines)


def _fields(record: object) -> list[str]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}  # type: ignore[arg-type]
    return [
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value:.4g}"
        for name, value in values.items()
        if value != "" and (value or name not in ("carry_delay_ps", "setup_ps", "clock_pj"))
    ]
