"""Processing elements: the description that the golden model, the cost and the RTL are all derived from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore import technology as technologies
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.codes import Codes, pack
from hwexplore.pe.cost import Cost
from hwexplore.pe.operand import Operand
from hwexplore.pe.tile import Tile
from hwexplore.technology import DRAWS, Bill, Interval, Price, Technology

__all__ = ["PE", "Tile"]


class PE(ABC):
    """A processing element, described by its operand formats, its accumulator and its microarchitecture.

    ``weight_port`` and ``activation_port`` are the ports for one number, or for one element of a block.
    """

    family: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    """The options in its text."""
    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator
    _families: ClassVar[dict[str, type[PE]]] = {}

    @property
    def weight(self) -> Format:
        """Format of the weights."""
        return self.weight_port.format

    @property
    def activation(self) -> Format:
        """Format of the activations."""
        return self.activation_port.format

    @property
    def signed(self) -> bool:
        """Whether any of its operands has a sign."""
        return self.weight_port.signed or self.activation_port.signed

    @property
    @abstractmethod
    def accumulator_bits(self) -> int:
        """Width of one sum."""

    @property
    def tile(self) -> Tile:
        """What it works on at a time."""
        return Tile()

    @property
    def passes(self) -> tuple[int, int]:
        """How often a tile's activations and weights come to the operand ports."""
        return 1, 1

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes between which a PE switches at run time; none if it has no choice."""
        return ()

    def in_mode(self, mode: str) -> PE:
        """The same hardware in one of its ``modes``."""
        raise InputError(f"mode {mode!r}: {self} has one mode only")

    def __init_subclass__(cls) -> None:
        PE._families[cls.family] = cls

    @staticmethod
    def parse(text: str) -> PE:
        """A PE from its text, as in ``mac(int8, int8, acc=int32)``; ``str`` gives the text back."""
        arguments = Arguments.parse(text, {name: family.options for name, family in PE._families.items()})
        return PE._families[arguments.family].from_arguments(arguments)

    @staticmethod
    def families() -> dict[str, type[PE]]:
        """The PE families by name."""
        return dict(sorted(PE._families.items()))

    @classmethod
    @abstractmethod
    def from_arguments(cls, arguments: Arguments) -> PE:
        """The PE that its text describes; InputError for what the family does not support."""

    @property
    def macs_per_cycle(self) -> float:
        """Useful multiply-accumulates per cycle at full rate."""
        return self.tile.m * self.tile.n * self.tile.k / self.tile.cycles

    @property
    @abstractmethod
    def latency_cycles(self) -> int:
        """Clock edges from the last operands of a tile to its sums in the accumulators."""

    def accepts(self, weight: Format, activation: Format, terms: int) -> bool:
        """Whether the PE can sum ``terms`` products of operands of these formats without changing their values."""
        fits = self.weight_port.accepts(weight) and self.activation_port.accepts(activation)
        return fits and self.accumulator.takes(terms)

    def for_operands(self, weight: Format, activation: Format, terms: int) -> PE | None:
        """The PE in the mode that accepts such sums with the most products per cycle; None if none does."""
        accepting = (
            [pe for pe in map(self.in_mode, self.modes) if pe.accepts(weight, activation, terms)]
            if self.modes
            else [self] * self.accepts(weight, activation, terms)
        )
        return max(accepting, key=lambda pe: pe.macs_per_cycle, default=None)

    def is_exact(self, weight: Format, activation: Format, terms: int) -> bool:
        """Whether sums of ``terms`` products of accepted operands of these formats are exact, whatever their values."""
        if self.accumulator.kind == "float":
            return False
        reach = terms * self.weight_port.steps(weight) * self.activation_port.steps(activation)
        return reach >> (self.accumulator_bits - 1) == 0

    @abstractmethod
    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        """Accumulator codes [m, n] for encoded weights [n, k] and activations [m, k], bit-exact, in ascending k."""

    @abstractmethod
    def decode(self, codes: Codes) -> NDArray[np.float64]:
        """The sums, in products of decoded operands, that accumulator codes stand for."""

    @property
    @abstractmethod
    def ports(self) -> dict[str, int]:
        """Bits of each operand input of the core."""

    @property
    def port_bits(self) -> tuple[int, int]:
        """Bits of the operand inputs that activations take, and of those that weights take, scales included."""
        activations = sum(bits for name, bits in self.ports.items() if name.startswith("activation"))
        modes = self.ports.get("mode", 0)
        return activations, sum(self.ports.values()) - activations - modes

    @property
    def meanings(self) -> dict[str, str]:
        """What each port of the core carries, in a few words."""
        m, n, *_ = self.tile
        sums = (
            f"{self.accumulator} sum" if m * n == 1 else f"{m} x {n} sums in {self.accumulator}, by rows, lowest first"
        )
        return {"weight": str(self.weight), "activation": str(self.activation), "accumulator": sums}

    @abstractmethod
    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        """What encoded weights [n, k], k in whole tiles, are at their ports: [n / tile.n, cycles]."""

    @abstractmethod
    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        """What encoded activations [m, k], k in whole tiles, are at their ports: [m / tile.m, cycles]."""

    @property
    def outputs(self) -> dict[str, int]:
        """Bits of each output of the core."""
        return {"accumulator": self.tile.m * self.tile.n * self.accumulator_bits}

    def shown(self, codes: Codes) -> dict[str, Codes]:
        """What each output shows for accumulator codes [m, n]: [m / tile.m, n / tile.n], sums by rows, lowest first."""
        m, n, *_ = self.tile
        tiles = codes.reshape(codes.shape[0] // m, m, codes.shape[1] // n, n).swapaxes(1, 2)
        return {"accumulator": pack(tiles.reshape(*tiles.shape[:2], m * n), self.accumulator_bits)}

    @abstractmethod
    def bill(self, operands: str) -> Bill:
        """Bill of hardware; the distribution of ``operands`` (gaussian or uniform) sets the activities."""

    def fastest_period_ps(self, technology: str | Technology) -> float:
        """The shortest period that the PE reaches, at the largest effort and nominal coefficients."""
        return _technology(technology).shortest_period_ps(self.bill("gaussian"))

    def cost(
        self,
        technology: str | Technology,
        period_ps: float | None = None,
        voltage: float | None = None,
        operands: str = "gaussian",
        mode: str | None = None,
    ) -> Cost:
        """Price of one instance, sized to meet ``period_ps``, or without any effort for speed.

        ``voltage`` is the supply of the logic in volts, by default the technology's own; ``mode`` is for PEs that have
        several. InputError where even the largest effort misses the period.
        """
        if mode is not None:
            return self.in_mode(mode).cost(technology, period_ps, voltage, operands)
        node = _technology(technology)
        if voltage is not None:
            node = node.at(voltage)
        if period_ps is not None and not period_ps > 0:
            raise InputError(f"period_ps = {period_ps} must be a positive number of picoseconds")
        if period_ps is not None and self.fastest_period_ps(node) > period_ps * (1 + 1e-9):
            raise InputError(
                f"{self} cannot run at {period_ps:g} ps on {node.name} at {node.voltage:g} V: "
                f"its shortest period is {self.fastest_period_ps(node):.0f} ps"
            )
        bill = self.bill(operands)
        price, drawn = (one.price(bill, one.effort(bill, period_ps)) for one in (node, node.drawn))

        def interval(quantity: Callable[[Price], float]) -> Interval:
            return Interval.of(quantity(price), np.broadcast_to(quantity(drawn), DRAWS))

        return Cost(
            area_um2=interval(lambda price: price.area_um2),
            energy_pj=interval(lambda price: (price.dynamic_pj + price.clock_pj) / self.macs_per_cycle),
            clock_pj=interval(lambda price: price.clock_pj / self.macs_per_cycle),
            glitch_pj=interval(lambda price: price.glitch_pj / self.macs_per_cycle),
            leakage_uw=interval(lambda price: price.leakage_uw),
            min_period_ps=interval(lambda price: price.delay_ps),
            macs_per_cycle=self.macs_per_cycle,
            latency_cycles=self.latency_cycles,
            bill=bill,
        )


def _technology(technology: str | Technology) -> Technology:
    return technologies.load(technology) if isinstance(technology, str) else technology
