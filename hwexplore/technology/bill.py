"""Bills of hardware: what a circuit is made of, in primitives that every technology prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hwexplore.errors import unknown

__all__ = ["PRIMITIVES", "Bill", "Item", "Stage", "overlapped"]

PRIMITIVES = ("inverter", "nand2", "and2", "or2", "xor2", "mux2", "half_adder", "full_adder", "flip_flop")

LIVELINESS = 0.5
"""Power of the activity with which glitches grow: the best of 0, 0.5 and 1 for the PEs that were fitted."""


@dataclass(frozen=True)
class Item:
    """``count`` primitives of one kind, doing one job.

    ``activity`` is the mean number of output transitions per primitive and clock cycle, without glitches;
    ``why`` states the formula behind the count; ``depth`` is how many primitives in series are in front of them since
    the registers, on average: what comes late has glitched; ``unrest`` scales its glitches. ``purpose`` tells what it
    is there for, if not for products and their sums.
    """

    part: str
    primitive: str
    count: float
    activity: float
    why: str
    depth: float = 0.0
    unrest: float = 1.0
    purpose: str = ""

    def __post_init__(self) -> None:
        if self.primitive not in PRIMITIVES:
            raise unknown("hardware primitive", self.primitive, PRIMITIVES)


@dataclass(frozen=True)
class Stage:
    """``count`` primitives in series on the critical path; ``carry`` takes the carry arc of a full adder."""

    part: str
    primitive: str
    count: float
    carry: bool = False


def overlapped(path: Iterable[Stage]) -> tuple[Stage, ...]:
    """``path`` with the carry chains that run at the same time counted once.

    Adders that follow each other, or with only bitwise gates between them, start on their low bits before the high
    ones are there: of such a run the longest chain counts, every other adder with one full adder.
    """
    stages = list(path)
    run: list[int] = []
    for number, stage in enumerate([*stages, Stage("end", "mux2", 0)]):
        if stage.primitive == "mux2":
            for other in sorted(run, key=lambda place: stages[place].count)[:-1]:
                stages[other] = Stage(stages[other].part, "full_adder", 1)
            run.clear()
        elif stage.carry:
            run.append(number)
    return tuple(stages)


@dataclass(frozen=True)
class Bill:
    """The items of a circuit and its paths from register to register, of which the slowest sets the clock."""

    items: tuple[Item, ...]
    paths: tuple[tuple[Stage, ...], ...] = ()

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)
