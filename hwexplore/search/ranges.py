"""Ranges of a parameter's values, such as ``{ from = 16, to = 256, factor = 2 }``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hwexplore.accelerator.designs import MAX_NUMBER, NUMERIC
from hwexplore.errors import InputError, unknown

__all__ = ["range_values"]

MOST = 100_000
"""Most values of a range."""
SLACK = 1e-9
"""By how much of a step ``to`` may be missed."""
FORM = "{ from = 16, to = 256, factor = 2 } or { from = 16, to = 256, step = 16 }"


def range_values(name: str, table: Mapping[str, Any]) -> list[float]:
    """The values of a range of the parameter ``name``, both ends included.

    The next value is the one before times ``factor`` or plus ``step``; they are rounded to 12 digits. Raises InputError
    for what is no such range.
    """
    for key in table:
        if key not in ("from", "to", "factor", "step"):
            raise unknown(f"key of the range of {name}", key, ("from", "to", "factor", "step"))
    if not {"from", "to"} <= set(table) or ("factor" in table) == ("step" in table):
        raise InputError(f"range of {name} has {', '.join(table) or 'no keys'}; expected {FORM}")
    if name not in (*NUMERIC, "clock_mhz"):
        raise InputError(f"{name} has no ranges, as its values are no numbers; list them")
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise InputError(f"range of {name}: {key} = {value!r} must be a number")
        if not 0 < value < MAX_NUMBER:
            raise InputError(f"range of {name}: {key} = {value} must be positive and below 2**31")
    first, last = float(table["from"]), float(table["to"])
    if last < first:
        raise InputError(f"range of {name} ends at {last:g}, before its start at {first:g}")
    if "step" in table:
        step = float(table["step"])
        steps = (last - first) / step
    else:
        factor = float(table["factor"])
        if factor <= 1:
            raise InputError(f"range of {name}: factor = {factor:g} must be above 1")
        steps = math.log(last / first) / math.log(factor)
    count = math.floor(steps + SLACK) + 1
    if count > MOST:
        raise InputError(f"range of {name} has {count:,} values; at most {MOST:,} are possible")
    values = (first + step * i if "step" in table else first * factor**i for i in range(count))
    return [float(f"{value:.12g}") for value in values]
