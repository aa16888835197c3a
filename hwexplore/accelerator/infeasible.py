"""Why a design is infeasible, in one sentence with its numbers."""

from __future__ import annotations

import numpy as np

from hwexplore.accelerator.model import REASONS, Index, Model

__all__ = ["why_infeasible"]


def why_infeasible(model: Model, index: Index) -> str:
    """What is in the way of the single design at ``index``: the reason, the parameter, and what it would take."""
    code = int(model.breakdown(index).reason[0])
    return f"{REASONS[code]}: {_numbers(model, index, code)}"


def _numbers(model: Model, index: Index, code: int) -> str:
    column = {name: int(np.ravel(numbers)[0]) for name, numbers in index.items()}
    value = {name: model.choices.values[name][number] for name, number in column.items()}
    hardware = model.hardware(index)
    if code == 1:
        fastest_mhz = 1e-6 / float(hardware.period_s[0])
        return f"clock_mhz = {value['clock_mhz']}: {value['pe']} reaches {fastest_mhz:.4g} at {value['voltage']:g} V"
    if code in (2, 3):
        banks, (least, _) = int(hardware.banks[0]), model.technology.sram_law.size_bytes
        each = f"sram_kib = {value['sram_kib']} is split into {banks} banks of 64 bits to feed array and vector unit"
        if code == 2:
            return f"{each}, of less than {least:g} bytes; it takes {banks * least / 1024:g} KiB"
        access, period = (f"{1e9 * float(seconds[0]):.3g} ns" for seconds in (hardware.access_s, hardware.period_s))
        return f"{each}, which take {access} where a cycle has {period}"
    if code == 4:
        needed = float(model.operators.resident_bytes[column["policy"]])
        capacity = model.technology.dram(value["dram"]).capacity_bytes
        return (
            f"channels = {value['channels']} of {value['dram']} hold {value['channels'] * capacity / 1e9:.4g} GB, "
            f"weights and KV cache take {needed / 1e9:.4g} GB"
        )
    one = {name: np.asarray(number) for name, number in column.items()}
    return model.mapper.shortage(one, [operator.name for operator in model.workload.operators])
