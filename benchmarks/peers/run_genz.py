"""GenZ on the common setting: reads it as JSON from standard input, prints results as JSON.

It knows language models only, and has no dataflow, no buffer and no energy. Peaks are those of 16-bit operands, twice
as high at 8 bits; bandwidths are in GiB/s.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time

from GenZ import decode_moddeling

RUNS = 5


def main() -> None:
    setting = json.load(sys.stdin)
    clock_hz = 1e6 * setting["clock_mhz"]
    peak = 2 * setting["rows"] * setting["cols"] * clock_hz
    system = {
        "Flops": peak / 2 / 1e12,
        "Memory_size": 16,
        "Memory_BW": setting["dram_bytes_per_cycle"] * clock_hz / 2**30,
        "ICN": 1,
        "real_values": True,
    }
    with contextlib.redirect_stdout(sys.stderr):
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            result = decode_moddeling(
                model="meta-llama/Llama-2-7B",
                batch_size=1,
                input_tokens=setting["context"] - 1,
                output_tokens=1,
                Bb=1,
                system_name=system,
                bits="int8",
            )
            seconds.append(time.perf_counter() - start)
    found = {
        "cycles": result["Latency"] * 1e-3 * clock_hz,
        "dram_bytes": float(result["summary_table"]["Total Data (MB)"].iloc[0]) * 2**20,
        "evaluations_per_s": 1 / min(seconds),
    }
    print(json.dumps({"Llama-2-7B decode": found}))


if __name__ == "__main__":
    main()
