"""What formats cost beside the products themselves, term by term."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.model import Breakdown, Index, Model
from hwexplore.accelerator.operator_table import ALWAYS, FALLBACK, ON_ARRAY, PLACES, stationary
from hwexplore.accelerator.pe_table import first_units, units
from hwexplore.formats import Format
from hwexplore.technology import Bill

__all__ = ["format_costs"]

Array = NDArray[np.float64]
OPERANDS = ("weights", "activations", "KV cache", "outputs")


def format_costs(model: Model, index: Index, breakdown: Breakdown, design: int) -> list[dict[str, Any]]:
    """The terms of one pass of number ``design`` of the designs at ``index``, those that are not zero.

    Each has its ``term``, the ``unit`` that does it, ``operations`` of the vector unit or ``dram_bytes``, ``energy_j``,
    and ``busy_s``, the time that it occupies its unit, which may be hidden behind other units. What a PE spends on
    scales, zero points and tables occupies nothing else.
    """
    at = {name: int(column[design]) for name, column in index.items()}
    one = {name: column[[design]] for name, column in index.items()}
    hardware = model.hardware(one)
    count = model.operators.count

    terms = []
    for term, operations in _vector_work(model, breakdown, at, design).items():
        total = float(operations @ count)
        energy_j, busy_s = total * float(hardware.lane_pj[0]) * 1e-12, total / float(hardware.lanes[0])
        terms.append(_term(term, "vector unit", total, 0.0, energy_j, busy_s * float(hardware.period_s[0])))
    per_byte = hardware.dram_pj_per_byte + 8 * (hardware.write_pj_per_bit + hardware.interconnect_pj_per_bit)
    for term, moved in _traffic(model, one, at).items():
        total = float(moved @ count)
        busy_s = total / float(hardware.bandwidth_bytes_per_s[0])
        terms.append(_term(term, "DRAM", 0.0, total, total * float(per_byte[0]) * 1e-12, busy_s))
    for term, picojoules in _inside(model, at).items():
        terms.append(_term(term, "array", 0.0, 0.0, float(picojoules @ count) * 1e-12, 0.0))
    return [term for term in terms if term["energy_j"] > 0]


def _term(term: str, unit: str, operations: float, dram_bytes: float, energy_j: float, busy_s: float) -> dict[str, Any]:
    return {
        "term": term,
        "unit": unit,
        "operations": operations,
        "dram_bytes": dram_bytes,
        "energy_j": energy_j,
        "busy_s": busy_s,
    }


def _vector_work(model: Model, breakdown: Breakdown, at: dict[str, int], design: int) -> dict[str, Array]:
    """Vector operations of each operator by term; where a term recurs in passes over the array, all of them."""
    work, policy, on_array = model.operators.work, at["policy"], breakdown.on_array[design]
    own = {term: work[term][policy] for term in ALWAYS if term != "operators"}
    array = {term: np.where(on_array, work[term][policy], 0) for term in ON_ARRAY}
    array |= {term: breakdown.converted[place][design] for place, term in PLACES.items()}
    fallback = {term: np.where(on_array, 0, work[term][policy]) for term in FALLBACK}
    return {**own, **array, **fallback}


def _traffic(model: Model, one: Index, at: dict[str, int]) -> dict[str, Array]:
    """DRAM bytes of each operator that are not elements: scales and zero points, and what packing pads."""
    policy = model.choices.values["policy"][at["policy"]]
    operators, moved_bytes = model.workload.operators, model.mapper.moved(one)
    terms = {
        f"{kind} of {operand}": np.zeros(len(operators))
        for kind in ("scales and zero points", "packing")
        for operand in OPERANDS
    }
    for number, (operator, operands) in enumerate(zip(operators, model.workload.operands(policy), strict=True)):
        attention, cached = operator.kind == "attention", operator.kind != "attention" and operator.kv_elements > 0
        formats = {
            "activations": operands.activations,
            "weights": stationary(operator, operands),
            "outputs": operands.kv_cache if cached else operands.activations,
        }
        for operand, format in formats.items():
            name = "KV cache" if attention and operand == "weights" else operand
            scales, packing = _overheads(format.storage)
            terms[f"scales and zero points of {name}"][number] += scales * moved_bytes[operand][0, number]
            terms[f"packing of {name}"][number] += packing * moved_bytes[operand][0, number]
    return terms


def _overheads(format: Format) -> tuple[float, float]:
    """Shares of stored bytes that are scales and zero points, and padding."""
    stored = format.packed_bits()
    return (format.bits - format.element.bits) / stored, (stored - format.bits) / stored


def _inside(model: Model, at: dict[str, int]) -> dict[str, Array]:
    """Energy of each operator on what a PE has besides products and sums, by purpose."""
    node = model.technology.at(model.choices.values["voltage"][at["voltage"]])
    pe = model.choices.values["pe"][at["pe"]]
    bill = pe.bill(model.operands)
    effort = node.effort(bill, float(model.pes.period_s[at["pe"], at["clock_mhz"], at["voltage"]]) * 1e12)
    cycles = model.placement.work_cycles[at["policy"], at["pe"]]
    chosen = model.placement.unit[at["policy"], at["pe"]] - first_units(model.choices.values["pe"])[at["pe"]]
    terms: dict[str, Array] = {}
    for number, unit in enumerate(units(pe)):
        for purpose in dict.fromkeys(item.purpose for item in bill if item.purpose):
            items = tuple(item for item in unit.bill(model.operands) if item.purpose == purpose)
            price = node.price(Bill(items), effort)
            spent = np.where(chosen == number, cycles, 0) * price.dynamic_pj
            terms[purpose] = terms.get(purpose, np.zeros(len(cycles))) + spent
    return terms
