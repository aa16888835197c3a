"""Time, peak memory and disk of a search with and without the folder of evaluated designs, and resumed from it.

Run with ``python benchmarks/durable.py``: llama-2-7b decode at the roofline, where evaluation costs least and keeping
most, on all cores. Each search is a process of its own; the peak is that of its resident memory, libraries included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from hwexplore import workloads
from hwexplore.search import DesignFolder, Space, explore

ARRAYS = {"1e6": (5, 7), "1e7": (13, 27)}
"""Numbers of rows and columns of the array, by about how many designs that makes."""


def search(size: str, path: Path | None) -> str:
    """A row of the table: what a search did."""
    rows, cols = (range(16, 16 * (count + 1), 16) for count in ARRAYS[size])
    space = Space(pe=["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)"], rows=rows, cols=cols)
    folder = None if path is None else DesignFolder(path, resume=True)
    front = explore(space, workloads.load("llama-2-7b"), fidelity="roofline", designs=folder, jobs=-1)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    kept = "no" if folder is None else "resumed" if folder.reused else "yes"
    disk_mb = 0 if path is None else sum(file.stat().st_size for file in path.iterdir()) / 1e6
    rate = front.evaluated / front.seconds
    return f"{front.evaluated:12,} {kept:>8} {front.seconds:9.1f} {rate:12,.0f} {peak_mb:9.0f} {disk_mb:9.0f}"


def main() -> None:
    """Print the table."""
    print(f"{'designs':>12} {'kept':>8} {'seconds':>9} {'designs/s':>12} {'peak MB':>9} {'disk MB':>9}", flush=True)
    for size in ARRAYS:
        with tempfile.TemporaryDirectory() as folder:
            for path in ([], [f"{folder}/designs.parquet"], [f"{folder}/designs.parquet"]):
                run = subprocess.run(
                    [sys.executable, __file__, size, *path], check=True, capture_output=True, text=True
                )
                print(run.stdout, end="", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(search(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None))
    else:
        main()
