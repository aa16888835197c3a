"""How the elements of a tensor are distributed: Gaussian, Laplace, Student-t, Gaussian with outlier channels."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, ndtr, ndtri, stdtr, stdtrit

from hwexplore.errors import InputError, unknown

__all__ = ["Distribution", "Gaussian", "Laplace", "OutlierChannels", "StudentT"]

Array = NDArray[np.float64]


class Distribution(ABC):
    """A symmetric distribution of mean 0 and variance 1."""

    @staticmethod
    def parse(text: str) -> Distribution:
        """``gaussian``, ``laplace``, ``student_t(5)`` (degrees of freedom) or ``outliers(0.01, 20)`` (share, ratio)."""
        match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text.strip())
        name, arguments = match.groups() if match else (text, None)
        if name not in _KINDS:
            raise unknown("distribution", text, ("gaussian", "laplace", "student_t(5)", "outliers(0.01, 20)"))
        try:
            return _KINDS[name](*map(float, arguments.split(",") if arguments else ()))
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"distribution {text!r} is malformed; expected gaussian, laplace, student_t(5) or outliers(0.01, 20)"
            ) from None

    @abstractmethod
    def moments(self, x: Array) -> tuple[Array, Array, Array]:
        """The integrals of f(t), t f(t) and t^2 f(t) up to ``x``, f the density; each in the shape of ``x``."""

    @abstractmethod
    def upper_quantile(self, p: Array) -> Array:
        """What is exceeded with probability ``p`` < 1/2, precise in the tail."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        """Random elements [rows, columns]."""


@dataclass(frozen=True)
class Gaussian(Distribution):
    """The normal distribution."""

    def moments(self, x: Array) -> tuple[Array, Array, Array]:
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        below = ndtr(x)
        return below, -density, below - x * density

    def upper_quantile(self, p: Array) -> Array:
        return np.asarray(-ndtri(p))

    def sample(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        return rng.standard_normal((rows, columns))

    def __str__(self) -> str:
        return "gaussian"


@dataclass(frozen=True)
class Laplace(Distribution):
    """The double exponential distribution."""

    def moments(self, x: Array) -> tuple[Array, Array, Array]:
        a = np.abs(x)
        tail = np.exp(-a / _LAPLACE) / 2
        power = tail * (a**2 + 2 * _LAPLACE * a + 2 * _LAPLACE**2)
        return np.where(x < 0, tail, 1 - tail), -(a + _LAPLACE) * tail, np.where(x < 0, power, 1 - power)

    def upper_quantile(self, p: Array) -> Array:
        return -_LAPLACE * np.log(2 * p)

    def sample(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        return rng.laplace(scale=_LAPLACE, size=(rows, columns))

    def __str__(self) -> str:
        return "laplace"


@dataclass(frozen=True)
class StudentT(Distribution):
    """Student's t distribution of ``nu`` > 2 degrees of freedom, scaled to variance 1."""

    nu: float

    def __post_init__(self) -> None:
        if not 2 < self.nu < np.inf:
            raise InputError(f"nu of student_t is {self.nu:g}; it must be above 2, where there is a variance")

    def moments(self, x: Array) -> tuple[Array, Array, Array]:
        nu, t = self.nu, x / self._unit
        below: Array = np.asarray(stdtr(nu, t), float)
        # The density of t is that of nu - 2 degrees of freedom over 1 + t^2 / nu, but for a factor.
        height = float(np.exp(-betaln(nu / 2, 0.5)) / np.sqrt(nu))
        mean = -height * nu / (nu - 1) * (1 + t**2 / nu) ** ((1 - nu) / 2)
        power: Array = np.asarray(nu * ((nu - 1) / (nu - 2) * stdtr(nu - 2, x) - below), float)
        return below, self._unit * mean, self._unit**2 * power

    def upper_quantile(self, p: Array) -> Array:
        return np.asarray(-self._unit * stdtrit(self.nu, p))

    def sample(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        return rng.standard_t(self.nu, (rows, columns)) * self._unit

    def __str__(self) -> str:
        return f"student_t({self.nu:g})"

    @property
    def _unit(self) -> float:
        return float(np.sqrt((self.nu - 2) / self.nu))


@dataclass(frozen=True)
class OutlierChannels(Distribution):
    """Gaussian columns of which a random ``share`` has ``ratio`` times the standard deviation of the others.

    An element is a mixture of two Gaussians; a scale is shared along the rows, across channels.
    """

    share: float
    ratio: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"share of outliers is {self.share:g}; it must be between 0 and 1")
        if not 1 <= self.ratio < np.inf:
            raise InputError(f"ratio of outliers is {self.ratio:g}; it must be at least 1")

    def moments(self, x: Array) -> tuple[Array, Array, Array]:
        below, mean, power = (0 * x for _ in range(3))
        for share, sigma in self._parts:
            parts = Gaussian().moments(x / sigma)
            below, mean, power = (
                total + share * sigma**order * part
                for order, (total, part) in enumerate(zip((below, mean, power), parts, strict=True))
            )
        return below, mean, power

    def upper_quantile(self, p: Array) -> Array:
        low, high = (Gaussian().upper_quantile(p) * sigma for _, sigma in self._parts)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = sum(share * ndtr(-middle / sigma) for share, sigma in self._parts)
            low, high = np.where(above > p, middle, low), np.where(above > p, high, middle)
        return np.asarray((low + high) / 2)

    def sample(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        (_, usual), (_, outlying) = self._parts
        sigma = np.where(rng.random(columns) < self.share, outlying, usual)
        return rng.standard_normal((rows, columns)) * sigma

    def __str__(self) -> str:
        return f"outliers({self.share:g}, {self.ratio:g})"

    @property
    def _parts(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(share, standard deviation) of the usual channels and of the outliers."""
        usual = 1 / np.sqrt(1 - self.share + self.share * self.ratio**2)
        return (1 - self.share, float(usual)), (self.share, float(self.ratio * usual))


_LAPLACE = float(np.sqrt(0.5))
"""Scale of the double exponential of variance 1."""
_BISECTIONS = 50
_KINDS: dict[str, type[Distribution]] = {
    "gaussian": Gaussian,
    "laplace": Laplace,
    "student_t": StudentT,
    "outliers": OutlierChannels,
}
