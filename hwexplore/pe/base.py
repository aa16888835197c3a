"""Processing elements: the description that the golden model, the cost and the RTL are all derived from."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore import technology as technologies
from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.pe.cost import Cost
from hwexplore.technology import Bill, Interval, Price, Technology

__all__ = ["PE"]


class PE(ABC):
    """A processing element, described by its operand formats, its accumulator and its microarchitecture."""

    family: ClassVar[str]
    _families: ClassVar[dict[str, type[PE]]] = {}

    @property
    @abstractmethod
    def weight(self) -> Format:
        """Format of the weight port."""

    @property
    @abstractmethod
    def activation(self) -> Format:
        """Format of the activation port."""

    @property
    @abstractmethod
    def accumulator_bits(self) -> int:
        """Width of the accumulator."""

    def __init_subclass__(cls) -> None:
        PE._families[cls.family] = cls

    @staticmethod
    def parse(text: str) -> PE:
        """A PE from its text, as in ``mac(int8, int8, acc=int32)``; ``str`` gives the text back."""
        match = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", str(text))
        if not match:
            raise InputError(f"PE {text!r} is not of the form family(weight, activation, option=value)")
        family, arguments = match.groups()
        if family not in PE._families:
            raise unknown("PE family", family, PE._families)
        positional: list[str] = []
        options: dict[str, str] = {}
        for argument in re.split(r",\s*(?![^(]*\))", arguments):
            name, separator, value = argument.partition("=")
            if not separator:
                positional.append(argument.strip())
            elif name.strip() in options:
                raise InputError(f"PE {text!r} gives {name.strip()} twice")
            else:
                options[name.strip()] = value.strip()
        return PE._families[family].from_arguments(text, positional, options)

    @staticmethod
    def families() -> list[str]:
        """The names of the PE families."""
        return sorted(PE._families)

    @classmethod
    @abstractmethod
    def from_arguments(cls, text: str, positional: list[str], options: Mapping[str, str]) -> PE:
        """Build the PE that ``text`` describes from its separated arguments."""

    @property
    @abstractmethod
    def macs_per_cycle(self) -> float:
        """Useful multiply-accumulates per cycle at full rate."""

    @property
    @abstractmethod
    def latency_cycles(self) -> int:
        """Cycles from operands to the accumulator."""

    @abstractmethod
    def accepts(self, weight: Format, activation: Format, terms: int) -> bool:
        """Whether the PE can sum ``terms`` products of operands of these formats without changing their values."""

    @abstractmethod
    def is_exact(self, weight: Format, activation: Format, terms: int) -> bool:
        """Whether sums of ``terms`` products of accepted operands of these formats are exact, whatever their values."""

    @abstractmethod
    def golden(self, weights: NDArray[np.generic], activations: NDArray[np.generic]) -> NDArray[Any]:
        """Accumulator codes [m, n] for encoded weights [n, k] and activations [m, k], bit-exact, in ascending k."""

    @abstractmethod
    def decode(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """The sums, in products of decoded operands, that accumulator codes stand for."""

    @abstractmethod
    def bills(self, operands: str) -> dict[str, Bill]:
        """Bill of hardware by structure; the distribution of ``operands`` sets the activities."""

    def structure(self, technology: Technology, period_ps: float | None, fastest: bool = False) -> str | None:
        """The structure with the least area that meets ``period_ps`` (None: any), or the fastest; None if none does."""
        prices = {name: technology.price(bill) for name, bill in self.bills("gaussian").items()}
        if fastest:
            return min(prices, key=lambda name: prices[name].delay_ps)
        meeting = [name for name, price in prices.items() if period_ps is None or price.delay_ps <= period_ps]
        return min(meeting, key=lambda name: prices[name].area_um2, default=None)

    def fastest_period_ps(self, technology: str | Technology) -> float:
        """The shortest period that any of the PE's structures reaches, at nominal coefficients."""
        node = _technology(technology)
        return min(node.price(bill).delay_ps for bill in self.bills("gaussian").values())

    def cost(
        self,
        technology: str | Technology,
        period_ps: float | None = None,
        voltage: float | None = None,
        operands: str = "gaussian",
        mode: str | None = None,
    ) -> Cost:
        """Price of one instance: the smallest structure that meets ``period_ps``, or the smallest of all.

        ``voltage`` is the supply of the logic in volts, by default the technology's own; ``mode`` is for PEs that have
        several. InputError where no structure meets the period.
        """
        node = _technology(technology)
        if voltage is not None:
            node = node.at(voltage)
        if mode is not None:
            raise InputError(f"mode {mode!r}: {self} has one mode only")
        if period_ps is not None and not period_ps > 0:
            raise InputError(f"period_ps = {period_ps} must be a positive number of picoseconds")
        structure = self.structure(node, period_ps)
        if structure is None:
            raise InputError(
                f"{self} cannot run at {period_ps:g} ps on {node.name} at {node.voltage:g} V: "
                f"its shortest period is {self.fastest_period_ps(node):.0f} ps"
            )
        bill = self.bills(operands)[structure]

        def interval(quantity: Callable[[Price], float]) -> Interval:
            return node.interval(lambda drawn: quantity(drawn.price(bill)))

        return Cost(
            area_um2=interval(lambda price: price.area_um2),
            energy_pj=interval(lambda price: (price.dynamic_pj + price.clock_pj) / self.macs_per_cycle),
            clock_pj=interval(lambda price: price.clock_pj / self.macs_per_cycle),
            leakage_uw=interval(lambda price: price.leakage_uw),
            min_period_ps=interval(lambda price: price.delay_ps),
            macs_per_cycle=self.macs_per_cycle,
            latency_cycles=self.latency_cycles,
            structure=structure,
            bill=bill,
        )


def _technology(technology: str | Technology) -> Technology:
    return technologies.load(technology) if isinstance(technology, str) else technology
