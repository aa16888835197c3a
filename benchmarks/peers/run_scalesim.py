"""SCALE-Sim on the common setting: reads it as JSON from standard input, prints results as JSON.

One layer at a time, with enough bandwidth that nothing stalls (mode CALC). It has no energy. The buffer is split into
equal parts for inputs, filters and outputs. Of the outputs of a matrix-vector product a slice is simulated and counted
as often as there are slices, which is exact but for one cycle and keeps a layer of Llama from taking half an hour.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from scalesim.layout_utils import layouts
from scalesim.scale_config import scale_config
from scalesim.single_layer_sim import single_layer_sim
from scalesim.topology_utils import topologies

SLICE = 128
"""Outputs simulated of a matrix-vector product."""


def config(setting: dict) -> scale_config:
    part = setting["buffer_kib"] // 3
    known = scale_config()
    known.update_from_list(
        [
            "peers",
            setting["rows"],
            setting["cols"],
            part,
            part,
            part,
            0,
            10_000_000_000,
            20_000_000_000,
            setting["dataflow"],
            "CALC",
            [],
        ]
    )
    return known


def simulate(operator: dict, known: scale_config, folder: Path) -> tuple[float, float]:
    """Cycles and DRAM bytes of one operator; convolutions are given with their padding."""
    topology, is_gemm = folder / "layer.csv", "size" not in operator
    if is_gemm:
        topology.write_text(f"Layer,M,N,K,\nlayer,{operator['m']},{operator['n']},{operator['k']},\n")
    else:
        size = operator["size"] + operator["kernel"] - 1
        shape = size, size, operator["kernel"], operator["kernel"], operator["channels"], operator["n"], 1
        heads = "Layer,IFMAP H,IFMAP W,Filter H,Filter W,Channels,Num Filter,Strides,"
        topology.write_text(f"{heads}\nlayer,{','.join(map(str, shape))},\n")
    topo = topologies()
    topo.load_arrays(str(topology), mnk_inputs=is_gemm)
    simulation = single_layer_sim()
    simulation.set_params(layer_id=0, config_obj=known, topology_obj=topo, layout_obj=layouts(), verbose=False)
    simulation.run()
    cycles = simulation.get_compute_report_items()[1]
    detail = simulation.get_detail_report_items()
    return float(cycles), float(sum(detail[place] for place in (11, 14, 17)))


def main() -> None:
    setting = json.load(sys.stdin)
    known, results = config(setting), {}
    with contextlib.redirect_stdout(sys.stderr), TemporaryDirectory() as folder:
        for name, operators in setting["workloads"].items():
            cycles = dram_bytes = seconds = 0.0
            for row in operators:
                slices = row["n"] // SLICE if row["m"] == 1 else 1
                start = time.perf_counter()
                of_slice, moved = simulate({**row, "n": row["n"] // slices}, known, Path(folder))
                seconds += slices * (time.perf_counter() - start)
                cycles += row["count"] * slices * of_slice
                dram_bytes += row["count"] * slices * moved
            results[name] = {"cycles": cycles, "compute_cycles": cycles, "dram_bytes": dram_bytes}
            results[name]["evaluations_per_s"] = 1 / seconds
    print(json.dumps(results))


if __name__ == "__main__":
    main()
