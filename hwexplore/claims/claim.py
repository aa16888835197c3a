"""What a paper claims beside what we find, and whether the two agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from hwexplore.technology import Interval

__all__ = ["Claim", "Evidence", "Verdict", "verdict"]

Verdict = Literal["agrees", "partly", "disagrees"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Our number: what our models say, what synthesis of our RTL measures where it was done, and under which setting.

    ``setting`` states accumulators, n, node or device, clock period and throughput.
    """

    setting: str
    model: Interval
    measured: float | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published claim and our evidence.

    ``name`` is ``group/claim``, ``quantity`` says what the numbers are, ``theirs`` is the published number or range.
    ``even`` is the value of neither direction, 1 for ratios, None where there are no directions. ``why`` explains a
    disagreement.
    """

    name: str
    paper: str
    statement: str
    quantity: str
    theirs: float | tuple[float, float]
    ours: Evidence
    even: float | None = 1.0
    why: str

    @property
    def band(self) -> tuple[float, float]:
        """The published range; its ends are the same for a single number."""
        return self.theirs if isinstance(self.theirs, tuple) else (self.theirs, self.theirs)

    @property
    def verdict(self) -> Verdict:
        """See `verdict`."""
        return verdict(self.band, self.ours, self.even)

    def to_dict(self) -> dict[str, Any]:
        """All there is to say about it, for JSON."""
        return {
            "name": self.name,
            "paper": self.paper,
            "statement": self.statement,
            "quantity": self.quantity,
            "setting": self.ours.setting,
            "theirs": list(self.band),
            "ours": asdict(self.ours.model),
            "measured": self.ours.measured,
            "verdict": self.verdict,
            "why": "" if self.verdict == "agrees" else self.why,
        }


def verdict(theirs: tuple[float, float], ours: Evidence, even: float | None) -> Verdict:
    """Whether a published number or range agrees with our evidence.

    Our best number is the measured one if there is one, otherwise the middle of our interval. ``agrees`` where it lies
    in the published range, or where this lies in the span of our interval and our measurement; ``partly`` where both
    lie on the same side of ``even``; ``disagrees`` otherwise.
    """
    low, high = theirs
    best = ours.model.mid if ours.measured is None else ours.measured
    first, last = min(ours.model.low, best), max(ours.model.high, best)
    if low <= best <= high or first <= low <= high <= last:
        return "agrees"
    same = even is not None and (min(low, best) > even or max(high, best) < even)
    return "partly" if same else "disagrees"
