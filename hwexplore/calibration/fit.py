"""Prices of the hardware primitives, fitted to synthesised PEs, with the intervals that their residuals call for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize_scalar

from hwexplore.pe import PE
from hwexplore.technology import Bill, Sizing, Technology
from hwexplore.technology.bill import PRIMITIVES, Stage, overlapped
from hwexplore.technology.technology import Glitches

__all__ = ["fit"]

Array = NDArray[np.float64]

ROUNDS = 6
"""Efforts follow from the delays of the round before."""

SHRINK = 0.03
"""Weight of the cells' own prices, against that of one synthesised PE which the model misses by 100 %."""

BOUNDS = (0.25, 4)
"""Of a price, in units of the cell's own and the factor that all share."""

REWEIGHTINGS, SMALLEST_ERROR, TIGHT = 12, 0.05, 1e-6

LOGIC = np.array([name != "flip_flop" for name in PRIMITIVES])
REGISTER_SPREAD = 0.5
"""Spread of the registers' prices in units of the logic's."""

QUANTILE_90 = 1.645


@dataclass(frozen=True)
class _Sample:
    """One synthesised netlist, and the effort that the model makes for its period."""

    bill: Bill
    effort: float
    row: pd.Series


def fit(measured: pd.DataFrame, start: Technology, source: str) -> Technology:
    """``start``, whose primitives are priced by their cells alone, fitted to the measurements of its node.

    Minimises mean relative errors; each price is drawn towards the one of its cell, times the
    one factor that all cells share. ``measured`` must have no held-out PE.
    """
    bills = {text: PE.parse(text).bill("gaussian") for text in measured["pe"].unique()}
    node = _scaled_to(measured, bills, start)
    for _ in range(ROUNDS):
        node = _fit_delay(measured, bills, node, start)
        node = _fit_area(measured, bills, node, start)
    node = _fit_energy(_samples(measured, bills, node), node, start)
    node = replace(
        node,
        primitives={name: replace(primitive, source=source) for name, primitive in node.primitives.items()},
        sizing=replace(node.sizing, source=source),
        glitches=replace(node.glitches, source=source),
    )
    return _with_spreads(measured, bills, node)


def _scaled_to(measured: pd.DataFrame, bills: Mapping[str, Bill], start: Technology) -> Technology:
    """One factor on all areas and one on all delays, so that the median PE is right."""
    relaxed = measured[measured["target"] == "relaxed"]
    prices = [start.price(bills[text]) for text in relaxed["pe"]]
    area = float(np.median(relaxed["area_um2"] / [price.area_um2 for price in prices]))
    delay = float(np.median(relaxed["period_ps"] / [price.delay_ps for price in prices]))
    primitives = {
        name: primitive.scaled(area=area, delay=delay, energy=1.0, leakage=1.0)
        for name, primitive in start.primitives.items()
    }
    return replace(start, primitives=primitives, sizing=Sizing(1.0, 0.3, 0.3, ""))


def _samples(measured: pd.DataFrame, bills: Mapping[str, Bill], node: Technology) -> list[_Sample]:
    found = []
    for _, row in measured.iterrows():
        period_ps = None if np.isnan(row["period_target_ps"]) else float(row["period_target_ps"])
        bill = bills[row["pe"]]
        found.append(_Sample(bill, node.effort(bill, period_ps), row))
    return found


def _fit_delay(measured: pd.DataFrame, bills: Mapping[str, Bill], node: Technology, start: Technology) -> Technology:
    """Delays of primitives, from relaxed netlists and from the shortest periods, and how far effort goes."""
    relaxed = measured[measured["target"] == "relaxed"]
    natural = [node.critical_path(bills[text]) for text in relaxed["pe"]]
    stages = np.array([_stages(path) for path in natural * 2])
    periods = np.concatenate([relaxed["period_ps"], relaxed["shortest_ps"] * (1 + node.sizing.most)])
    old = start.primitives
    prior = np.array(
        [
            *(old[name].delay_ps for name in PRIMITIVES if name != "flip_flop"),
            old["full_adder"].carry_delay_ps,
            old["flip_flop"].delay_ps + old["flip_flop"].setup_ps,
        ]
    )
    prior *= np.median(periods / (stages @ prior))
    *combinational, carry, register = _ridge(stages, periods, prior)
    delays = dict(zip((name for name in PRIMITIVES if name != "flip_flop"), combinational, strict=True))
    share = register / (old["flip_flop"].delay_ps + old["flip_flop"].setup_ps)
    primitives = {
        name: replace(primitive, delay_ps=delays.get(name, old[name].delay_ps * share))
        for name, primitive in node.primitives.items()
    }
    primitives["full_adder"] = replace(primitives["full_adder"], carry_delay_ps=carry)
    primitives["flip_flop"] = replace(primitives["flip_flop"], setup_ps=old["flip_flop"].setup_ps * share)
    fitted = replace(node, primitives=primitives)
    delays_ps = [fitted.price(bills[text]).delay_ps for text in relaxed["pe"]]
    most = float(np.median(np.array(delays_ps) / relaxed["shortest_ps"])) - 1
    return replace(fitted, sizing=replace(fitted.sizing, most=max(most, 0.0)))


def _stages(path: Iterable[Stage]) -> Array:
    """Stages of a path by combinational primitive, then carries, then the register."""
    counts = dict.fromkeys((*PRIMITIVES, "carry"), 0.0)
    for stage in overlapped(path):
        counts["carry" if stage.carry else stage.primitive] += stage.count
    counts.pop("flip_flop")
    return np.array([*counts.values(), 1.0])


def _fit_area(measured: pd.DataFrame, bills: Mapping[str, Bill], node: Technology, start: Technology) -> Technology:
    samples = _samples(measured, bills, node)
    areas = np.array([sample.row["area_um2"] for sample in samples])
    counts = np.array([_counts(sample.bill, lambda item: item.count) for sample in samples])
    effort = np.array([sample.effort for sample in samples])
    prior = np.array([start.primitives[name].area_um2 for name in PRIMITIVES])
    logic = areas - counts[:, ~LOGIC] @ prior[~LOGIC]
    prior = np.where(LOGIC, prior * np.median(logic / (counts[:, LOGIC] @ prior[LOGIC])), prior)
    slope, prices = _with_slope(counts, areas, effort, prior, exact=~LOGIC)
    return replace(
        node,
        primitives={
            name: replace(node.primitives[name], area_um2=price) for name, price in zip(PRIMITIVES, prices, strict=True)
        },
        sizing=replace(node.sizing, area=slope),
    )


def _fit_energy(samples: list[_Sample], node: Technology, start: Technology) -> Technology:
    """Energy of useful transitions and of glitches, of the clock, and leakage."""
    rows = pd.DataFrame([sample.row for sample in samples])
    effort = np.array([sample.effort for sample in samples])
    toggles = np.array([_counts(sample.bill, lambda item: item.count * item.activity) for sample in samples])
    counts = np.array([_counts(sample.bill, lambda item: item.count) for sample in samples])
    prior = np.array([start.primitives[name].energy_pj for name in PRIMITIVES])
    useful = (rows["useful_pj"] + rows["input_pj"]).to_numpy()
    prior *= np.median(useful / (toggles @ prior))
    slope, energies = _with_slope(toggles, useful, effort, prior)
    one = Glitches(1.0, "")
    late = np.array([_counts(sample.bill, lambda item: item.count * one.of(item)) for sample in samples])
    in_vain = (late * LOGIC * (1 + slope * effort[:, np.newaxis])) @ energies
    vain, rest = rows["glitch_pj"].to_numpy(), useful + rows["clock_pj"].to_numpy()
    ratio = minimize_scalar(
        lambda glitches: np.abs((glitches * in_vain + rest) / (vain + rest) - 1).mean(),
        bounds=(0, 10),
        method="bounded",
    ).x
    registers = counts[:, ~LOGIC].sum(axis=1)
    clock = float(np.median(rows["clock_pj"].to_numpy() / registers))
    leakage = np.array([start.primitives[name].leakage_uw for name in PRIMITIVES])
    leaking = rows["leakage_uw"].to_numpy()
    leakage *= np.median(leaking / (counts @ leakage))
    leakages = _ridge(counts * np.where(LOGIC, 1 + node.sizing.area * effort[:, np.newaxis], 1.0), leaking, leakage)
    return replace(
        node,
        primitives={
            name: replace(
                node.primitives[name],
                energy_pj=energy,
                leakage_uw=leak,
                clock_pj=clock if name == "flip_flop" else 0.0,
            )
            for name, energy, leak in zip(PRIMITIVES, energies, leakages, strict=True)
        },
        sizing=replace(node.sizing, energy=slope),
        glitches=replace(node.glitches, ratio=float(ratio)),
    )


def _counts(bill: Bill, quantity: Callable[..., float]) -> Array:
    totals = dict.fromkeys(PRIMITIVES, 0.0)
    for item in bill:
        totals[item.primitive] += quantity(item)
    return np.array(list(totals.values()))


def _with_slope(
    counts: Array, values: Array, effort: Array, prior: Array, exact: Array | None = None
) -> tuple[float, list[float]]:
    """Prices of counts, and the slope over effort of what logic takes, with the least mean relative error."""

    def solved(slope: float) -> tuple[Array, float]:
        sized = counts * np.where(LOGIC, 1 + slope * effort[:, np.newaxis], 1.0)
        prices = _ridge(sized, values, prior, exact)
        return prices, float(np.abs(sized @ prices / values - 1).mean())

    slope = float(minimize_scalar(lambda slope: solved(slope)[1], bounds=(0, 2), method="bounded").x)
    return slope, solved(slope)[0].tolist()


def _ridge(terms: Array, values: Array, prior: Array, exact: Array | None = None) -> Array:
    """Prices within `BOUNDS` of ``prior`` with the least mean relative error of ``terms @ prices``, not far from it.

    Those that are ``exact`` stay as they are. Least squares, reweighted until they are least absolute errors: a few
    designs that the model does not understand should not bend the prices of the others.
    """
    known = prior > 0
    relative = terms[:, known] / values[:, np.newaxis] * prior[known]
    pull = np.sqrt(SHRINK) * np.eye(relative.shape[1])
    low, high = (np.full(known.sum(), bound, float) for bound in BOUNDS)
    if exact is not None:
        low[exact[known]], high[exact[known]] = 1 - TIGHT, 1 + TIGHT
    weights = np.ones(len(values))
    for _ in range(REWEIGHTINGS):
        system = np.vstack([relative * weights[:, np.newaxis], pull])
        solution = lsq_linear(system, np.concatenate([weights, pull.sum(axis=1)]), (low, high)).x
        weights = 1 / np.sqrt(np.maximum(np.abs(relative @ solution - 1), SMALLEST_ERROR) / SMALLEST_ERROR)
    prices = np.zeros(len(prior))
    prices[known] = prior[known] * solution
    return prices


def _with_spreads(measured: pd.DataFrame, bills: Mapping[str, Bill], node: Technology) -> Technology:
    """Spreads under which nine in ten of the fitted PEs lie in their 90 % interval."""
    samples = _samples(measured, bills, node)
    prices = [node.price(sample.bill, sample.effort) for sample in samples]
    registers = [
        node.price(Bill(tuple(item for item in sample.bill if item.primitive == "flip_flop"))) for sample in samples
    ]
    rows = pd.DataFrame([sample.row for sample in samples])
    area = _sigma(
        rows["area_um2"],
        [price.area_um2 for price in prices],
        [register.area_um2 for register in registers],
    )
    energy = _sigma(
        rows[["useful_pj", "glitch_pj", "input_pj", "clock_pj"]].sum(axis=1),
        [price.dynamic_pj + price.clock_pj for price in prices],
        [register.dynamic_pj + register.clock_pj for register in registers],
    )
    relaxed = measured[measured["target"] == "relaxed"]
    shortest = [node.shortest_period_ps(bills[text]) for text in relaxed["pe"]]
    delay = _sigma(relaxed["shortest_ps"], shortest, np.zeros(len(shortest)))
    spread = {
        "logic_area": area,
        "register_area": area * REGISTER_SPREAD,
        "logic_energy": energy,
        "register_energy": energy * REGISTER_SPREAD,
        "delay": delay,
    }
    source = "nine in ten of the synthesised PEs that were fitted to lie in their 90 % interval"
    return replace(
        node,
        spread={**node.spread, **spread},
        spread_sources={**node.spread_sources, **dict.fromkeys(spread, source)},
    )


def _sigma(measured: Iterable[float], predicted: Iterable[float], registers: Iterable[float]) -> float:
    """The logic's spread; that of the registers' part is narrower, and independent."""
    model = np.array(list(predicted))
    share = np.array(list(registers)) / model
    width = np.hypot(1 - share, REGISTER_SPREAD * share)
    return float(np.quantile(np.abs(np.log(np.array(list(measured)) / model)) / width, 0.9)) / QUANTILE_90
