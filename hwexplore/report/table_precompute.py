"""Tables of activations, as lookups need them: built in every PE, or once by the vector unit."""

from __future__ import annotations

import numpy as np

from hwexplore.accelerator.cycles import by_dataflow
from hwexplore.accelerator.model import Index, Model
from hwexplore.pe import Lut

__all__ = ["table_precompute"]


def table_precompute(model: Model, index: Index, in_pe_j: float) -> dict[str, float] | None:
    """What the tables of one design take in a pass, built in three ways; None if its PEs have none.

    ``in_pe_j`` is what they take as modelled: each PE builds the tables of its own rows. ``fused_j`` is their energy if
    the vector unit builds each once, as part of the operator before, and the buffer holds tables in place of
    activations; ``separate_j`` if that is an operator of its own, between which and the product tables go through DRAM.
    ``sums_per_table`` use a table once it is built in a PE, ``builds`` is how often each is built in the array.

    Source of the three: LUT Tensor Core (arXiv 2408.06003), section 3 and Table 4.
    """
    pe = model.choices.values["pe"][int(index["pe"][0])]
    if not isinstance(pe, Lut):
        return None
    ops, hardware = model.operators, model.hardware(index)
    placed = model.placement.at(index["policy"], index["pe"])
    dataflow = model.dataflow[index["dataflow"]][..., None]
    rows, cols = hardware.rows[..., None], hardware.cols[..., None]
    folds = placed.folds(rows, cols, dataflow)
    passes = by_dataflow(dataflow, folds.on_cols, folds.on_cols, 1)
    weight = np.where(placed.on_array, ops.count * ops.batch * ops.m * ops.k, 0)
    tables = float(np.sum(weight) / pe.k)
    table_bits = pe.entries * pe.entry_bits + pe.max_scale.bit_length()
    activation_bits = pe.k * ops.a_bits[index["policy"]]
    wire_pj = float(hardware.interconnect_pj_per_bit[0])
    read_pj, write_pj = (float(pj[0]) + wire_pj for pj in (hardware.read_pj_per_bit, hardware.write_pj_per_bit))
    more_read_bits = float(np.sum(weight / pe.k * passes * (table_bits - activation_bits)))
    fused_pj = tables * (pe.entries * float(hardware.lane_pj[0]) + table_bits * write_pj) + more_read_bits * read_pj
    dram_pj = float(hardware.dram_pj_per_byte[0]) / 8 + write_pj
    separate_pj = fused_pj + float(np.sum(weight / pe.k * (2 * table_bits + activation_bits))) * dram_pj
    in_array = by_dataflow(dataflow, cols * folds.on_cols, cols * folds.on_cols, placed.n)
    builds = float(np.sum(weight * in_array)) / max(tables * pe.k, 1)
    return {
        "in_pe_j": in_pe_j,
        "fused_j": 1e-12 * fused_pj,
        "separate_j": 1e-12 * separate_pj,
        "sums_per_table": float(pe.n),
        "builds": builds,
    }
