"""The fit of a device's LUT law to syntheses, and how far synthesis is from it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from hwexplore.calibration.population import population
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill, multipliers
from hwexplore.technology.device import Device, load, part_counts

__all__ = ["Fit", "fit", "leave_family_out", "predictions"]

PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Tried for how much the coefficient of a part has to gain to be other than that of its primitive."""
FOLDS = 5


@dataclass(frozen=True)
class Fit:
    """Coefficients as in `LutLaw`, the penalty that cross-validation chose, and the standard deviation of log errors.

    ``residuals`` has a row per synthesis: ``pe``, ``family``, ``held_out``, ``lut``, ``predicted``, ``error`` relative
    to the synthesis.
    """

    luts: dict[str, float]
    penalty: float
    sigma: float
    residuals: pd.DataFrame

    def mape(self, held_out: bool = True) -> float:
        """Mean absolute relative error, of the held-out PEs or of the others."""
        return float(self.residuals.loc[self.residuals["held_out"] == held_out, "error"].abs().mean())

    def to_toml(self) -> str:
        """The ``[lut]`` table of a device's file."""
        held_out = self.residuals.loc[self.residuals["held_out"], "error"].abs()
        lines = [
            "[lut]",
            f"sigma = {self.sigma:.3f}",
            f'source = "nonnegative least squares of relative errors over {len(self.residuals) - len(held_out)} '
            f"syntheses in models/calibration/fpga.parquet; on {len(held_out)} held-out ones "
            f'{self.mape():.1%} mean, {held_out.max():.1%} worst"',
            "",
            "[lut.luts]",
            *(f'"{name}" = {value:.3f}' for name, value in self.luts.items()),
        ]
        return "\n".join(lines) + "\n"


def fit(runs: pd.DataFrame, device: str) -> Fit:
    """Fit the LUT law of ``device`` to ``runs``, of which none that is held out is seen before the residuals.

    Nonnegative least squares on relative errors. The coefficients of the parts are drawn to that of their primitive,
    which parts that no PE of the calibration has take as it is; how strongly, cross-validation decides.
    """
    runs = _of(runs, device)
    seen = ~runs["held_out"].to_numpy(bool)
    if seen.sum() < FOLDS or seen.all():
        raise InputError(f"{len(runs)} syntheses for {device}, {seen.sum()} not held out: too few to fit and to test")
    parts, luts = _parts(runs, device), runs["lut"].to_numpy(float)
    fold = np.array([int.from_bytes(sha256(f"fold: {pe}".encode()).digest()) % FOLDS for pe in runs["pe"]])
    penalty = min(PENALTIES, key=lambda penalty: _cross_validation(parts[seen], luts[seen], fold[seen], penalty))
    coefficients = _solve(parts[seen], luts[seen], penalty)
    predicted = _predict(parts, coefficients)
    residuals = runs[["pe", "family", "held_out", "lut"]].assign(predicted=predicted, error=predicted / luts - 1)
    sigma = float(np.sqrt(np.mean(np.log(predicted / luts)[~seen] ** 2)))
    luts_of = {str(name): float(value) for name, value in coefficients.items()}
    return Fit(luts_of, penalty, sigma, residuals)


def leave_family_out(runs: pd.DataFrame, device: str, penalty: float) -> dict[str, float]:
    """Mean absolute relative error on each family by a law that was fitted to the others, held-out PEs aside."""
    runs = _of(runs[~runs["held_out"]], device)
    parts, luts, family = _parts(runs, device), runs["lut"].to_numpy(float), runs["family"].to_numpy()
    errors = {}
    for name in sorted(set(family)):
        others = family != name
        predicted = _predict(parts[~others], _solve(parts[others], luts[others], penalty))
        errors[name] = float(abs(predicted / luts[~others] - 1).mean())
    return errors


def predictions(runs: pd.DataFrame, device: Device) -> pd.DataFrame:
    """``lut``, ``ff`` and ``dsp`` that the shipped model of ``device`` predicts for each of ``runs``."""
    rows = []
    for text, dsp in zip(runs["pe"], runs["dsp_allowed"], strict=True):
        pe = PE.parse(text)
        moved = [unit for unit in multipliers(pe) if dsp and device.dsp_rule.takes(unit)]
        price = device.price(fpga_bill(pe, moved.__contains__), moved)
        rows.append({name: interval.mid for name, interval in price.items()})
    return pd.DataFrame(rows, index=runs.index)


def _of(runs: pd.DataFrame, device: str) -> pd.DataFrame:
    """The syntheses of the population by the recipe that takes fewer LUTs; with DSP blocks where they use some."""
    wanted = (runs["device"] == device) & (runs["recipe"] == "booth") & (~runs["dsp_allowed"] | (runs["dsp"] > 0))
    return runs[wanted & runs["pe"].isin(list(map(str, population())))].reset_index(drop=True)


def _parts(runs: pd.DataFrame, device: str) -> pd.DataFrame:
    """Counts by part [run, part.primitive]."""
    takes = load(device).dsp_rule.takes
    rows = []
    for text, dsp in zip(runs["pe"], runs["dsp_allowed"], strict=True):
        pe = PE.parse(text)
        rows.append(part_counts(fpga_bill(pe, takes) if dsp else fpga_bill(pe)))
    return pd.DataFrame(rows).fillna(0.0)


def _solve(parts: pd.DataFrame, luts: NDArray[np.float64], penalty: float) -> pd.Series[float]:
    """Coefficients by primitive and by part."""
    primitive_of = [str(name).rpartition(".")[2] for name in parts]
    primitives = sorted(set(primitive_of))
    relative = np.hstack([np.zeros((len(parts), len(primitives))), parts.to_numpy() / luts[:, np.newaxis]])
    kind = np.array([[own == primitive for primitive in primitives] for own in primitive_of], float)
    drawn = np.sqrt(penalty) * np.hstack([-kind, np.eye(len(kind))])
    ones = np.concatenate([np.ones(len(relative)), np.zeros(len(drawn))])
    solution, _ = nnls(np.vstack([relative, drawn]), ones)
    return pd.Series(solution, index=[*primitives, *map(str, parts)])


def _predict(parts: pd.DataFrame, coefficients: pd.Series[float]) -> NDArray[np.float64]:
    return parts.to_numpy(float) @ coefficients[parts.columns].to_numpy(float)


def _cross_validation(parts: pd.DataFrame, luts: NDArray[np.float64], fold: NDArray[np.int64], penalty: float) -> float:
    errors = []
    for number in range(FOLDS):
        test = fold == number
        predicted = _predict(parts[test], _solve(parts[~test], luts[~test], penalty))
        errors.append(abs(predicted / luts[test] - 1))
    return float(np.concatenate(errors).mean())
