"""What the replays of all families have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from hwexplore.pe import PE
from hwexplore.rtl.replay import Replay
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import exhaustive_operands, join, random_operands, trace

Case = tuple[PE, pd.DataFrame]
Wrong = dict[str, pd.DataFrame]
Replayed = Callable[[Sequence[Case], Simulator], list[Replay]]
Mismatches = Callable[[Mapping[str, Case]], Wrong]


def varied(text: str, pairs: int, every_pair: bool) -> Case:
    """Random operands with pauses and resets; then, if asked for, every pair of operands at full rate."""
    pe = PE.parse(text)
    rng = np.random.default_rng(0)
    traces = [trace(pe, *random_operands(pe, pairs, rng), rng)]
    if every_pair:
        traces.append(trace(pe, *exhaustive_operands(pe), rng, full_rate=True))
    return pe, join(traces)
