"""How a heuristic search went: what a front that may lack designs says about itself."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Heuristic"]


@dataclass(frozen=True)
class Heuristic:
    """The search that found a front without a proof that nothing is missing from it.

    ``screened`` designs were looked at by the roofline alone. ``evaluations`` bounds the sum of the designs evaluated
    and of a share of those screened, see `Evaluations`. ``ended`` says why the search ended.
    """

    method: str
    seed: int
    evaluations: int
    screened: int
    ended: str

    def __str__(self) -> str:
        return (
            f"{self.method} with seed {self.seed}, {self.screened:,} more screened by their roofline, "
            f"ended as {self.ended}: the front may lack designs"
        )
