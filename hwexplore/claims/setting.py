"""Where PEs are compared, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Quantity", "Setting"]

Quantity = Literal["area", "energy"]


@dataclass(frozen=True)
class Setting:
    """Where PEs are compared: a node and the clock period of all."""

    node: str
    period_ps: float

    def __str__(self) -> str:
        return f"{self.node}, clock period {self.period_ps:g} ps"
