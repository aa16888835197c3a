"""ZigZag on the common setting: reads it as JSON from standard input, prints results as JSON.

Its inputs are written out here: an output-stationary array with an accumulator per MAC, one buffer, DRAM. Energies per
access are hwexplore's (``costs`` in the setting), so that only the counts of accesses differ; those of the accumulators
are in the MAC.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from zigzag.api import get_hardware_performance_zigzag

OPERAND_BITS = 256
"""Width of a read port of the buffer: 32 operands of 8 bits."""


def accelerator(setting: dict) -> dict:
    costs, dram_bits = setting["costs"], 8 * setting["dram_bytes_per_cycle"]
    return {
        "name": "peers",
        "memories": {
            "accumulator": {
                "size": 32,
                "r_cost": 0.0,
                "w_cost": 0.0,
                "area": 0.0,
                "latency": 1,
                "operands": ["O"],
                "ports": [
                    _port("r_port_1", "read", 32, 32, ["O, tl"]),
                    _port("r_port_2", "read", 32, 32, ["O, th"]),
                    _port("w_port_1", "write", 32, 32, ["O, fh"]),
                    _port("w_port_2", "write", 32, 32, ["O, fl"]),
                ],
                "served_dimensions": [],
            },
            "buffer": {
                "size": setting["buffer_kib"] * 8192,
                "r_cost": costs["read_pj_per_bit"] * OPERAND_BITS,
                "w_cost": costs["write_pj_per_bit"] * dram_bits,
                "area": 0.0,
                "latency": 1,
                "operands": ["I1", "I2", "O"],
                "ports": [
                    _port("r_port_1", "read", 8, OPERAND_BITS, ["I1, tl"]),
                    _port("r_port_2", "read", 8, OPERAND_BITS, ["I2, tl"]),
                    _port("r_port_3", "read", 8, OPERAND_BITS, ["O, tl", "O, th"]),
                    _port("w_port_1", "write", 8, dram_bits, ["I1, fh", "I2, fh", "O, fh", "O, fl"]),
                ],
                "served_dimensions": ["D1", "D2"],
            },
            "dram": {
                "size": 10**12,
                "r_cost": costs["dram_pj_per_bit"] * dram_bits,
                "w_cost": costs["dram_pj_per_bit"] * dram_bits,
                "area": 0.0,
                "latency": 1,
                "operands": ["I1", "I2", "O"],
                "ports": [
                    _port(
                        "rw_port_1",
                        "read_write",
                        8,
                        dram_bits,
                        [
                            *(f"I{i}, {way}" for i in (1, 2) for way in ("fh", "tl")),
                            *(f"O, {w}" for w in ("fh", "tl", "fl", "th")),
                        ],
                    )
                ],
                "served_dimensions": ["D1", "D2"],
            },
        },
        "operational_array": {
            "unit_energy": costs["mac_pj"],
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [setting["cols"], setting["rows"]],
            "systolic_dimensions": ["D1", "D2"],
        },
    }


def _port(name: str, kind: str, least: int, most: int, allocation: list[str]) -> dict:
    return {"name": name, "type": kind, "bandwidth_min": least, "bandwidth_max": most, "allocation": allocation}


def layer(operator: dict) -> tuple[dict, dict]:
    """The layer and its spatial mapping: outputs on columns, tokens or pixels on rows."""
    common = {"id": 0, "name": "layer", "operand_precision": {"I": 8, "W": 8, "O": 32, "O_final": 8}}
    if "size" in operator:
        size, kernel = operator["size"], operator["kernel"]
        return {
            **common,
            "operator_type": "Conv",
            "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": ["ix=1*ox+1*fx", "iy=1*oy+1*fy"],
            "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, operator["n"], operator["channels"], size, size, kernel, kernel],
            "pr_loop_dims": ["IX", "IY"],
            "pr_loop_sizes": [size, size],
            "padding": [[kernel // 2, kernel // 2], [kernel // 2, kernel // 2]],
        }, {"D1": ["K, 32"], "D2": ["OX, 8", "OY, 4"]}
    return {
        **common,
        "operator_type": "Gemm",
        "equation": "O[d][k]+=I[d][c]*W[c][k]",
        "loop_dims": ["C", "D", "K"],
        "loop_sizes": [operator["k"], operator["m"], operator["n"]],
    }, {"D1": ["K, 32"], "D2": ["D, 32"]}


def evaluate(operator: dict, hardware: Path, folder: Path) -> tuple[float, float, float, dict[str, float]]:
    """Cycles with and without stalls, DRAM bits moved and energies in pJ of one operator."""
    shape, spatial = layer(operator)
    links = {"O": "O", "W": "I2", "I": "I1"}
    mapping, workload = folder / "mapping.yaml", folder / "workload.yaml"
    mapping.write_text(yaml.safe_dump([{"name": "default", "spatial_mapping": spatial, "memory_operand_links": links}]))
    workload.write_text(yaml.safe_dump([shape]))
    _, _, answers = get_hardware_performance_zigzag(
        str(workload),
        str(hardware),
        str(mapping),
        opt="latency",
        dump_folder=str(folder / "out"),
        loma_show_progress_bar=False,
    )
    best = answers[0][1][0][0]
    levels = ("accumulator", "buffer", "DRAM")
    energy = dict.fromkeys(levels, 0.0)
    for parts in best.mem_energy_breakdown.values():
        for level, picojoules in zip(levels[-len(parts) :], parts, strict=True):
            energy[level] += picojoules
    return best.latency_total2, best.ideal_temporal_cycle, {"MAC": best.mac_energy, **energy}


def main() -> None:
    setting = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    results = {}
    with contextlib.redirect_stdout(sys.stderr), TemporaryDirectory() as name:
        folder = Path(name)
        hardware = folder / "accelerator.yaml"
        hardware.write_text(yaml.safe_dump(accelerator(setting)))
        for name, operators in setting["workloads"].items():
            start = time.perf_counter()
            rows = [(row["count"], *evaluate(row, hardware, folder)) for row in operators]
            seconds = time.perf_counter() - start
            results[name] = {
                "cycles": sum(count * cycles for count, cycles, _, _ in rows),
                "compute_cycles": sum(count * ideal for count, _, ideal, _ in rows),
                "energy_uj": {
                    term: 1e-6 * sum(count * energy[term] for count, _, _, energy in rows) for term in rows[0][3]
                },
                "evaluations_per_s": 1 / seconds,
            }
            dram_pj_per_byte = 8 * setting["costs"]["dram_pj_per_bit"]
            results[name]["dram_bytes"] = 1e6 * results[name]["energy_uj"]["DRAM"] / dram_pj_per_byte
    print(json.dumps(results))


if __name__ == "__main__":
    main()
