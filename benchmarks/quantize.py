"""Quantization speed beside ml_dtypes' casts, in the same run and on the same array.

Both sides take float32 to the format's values in float32: `Format.quantize` here, ``x.astype(type).astype(float32)``
there. Run it on one core, e.g. ``taskset -c 0 python benchmarks/quantize.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import ml_dtypes
import numpy as np

from hwexplore.formats import Format

PEERS = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
}
ALONE = ("e3m3", "tf32", "int8", "mxint8", "mxfp8", "mxfp4", "nvfp4", "int4_g128", "int4_g128_asym", "int8_channel")


def million_per_second(run: Callable[[], object], elements: int, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return elements / min(times) / 1e6


def round_trip(x: np.ndarray, dtype: type) -> np.ndarray:
    return x.astype(dtype).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=1 << 24, help="a multiple of 4096 (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="the best of so many runs counts (default: %(default)s)")
    options = parser.parse_args()
    x = np.random.default_rng(0).standard_normal((options.elements // 4096, 4096), dtype=np.float32)

    print(f"{'format':<18}{'hwexplore':>12}{'ml_dtypes':>12}{'ratio':>8}   (M float32/s)")
    for name in (*PEERS, *ALONE):
        quantize = partial(Format.parse(name).quantize, x)
        ours = million_per_second(quantize, x.size, options.repeats)
        if name in PEERS:
            cast = million_per_second(partial(round_trip, x, PEERS[name]), x.size, options.repeats)
            print(f"{name:<18}{ours:>12.0f}{cast:>12.0f}{ours / cast:>8.1f}")
        else:
            print(f"{name:<18}{ours:>12.0f}{'-':>12}{'-':>8}")


if __name__ == "__main__":
    main()
