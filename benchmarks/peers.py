"""hwexplore beside SCALE-Sim, ZigZag and GenZ: cycles, energy and evaluations per second, in one run.

Run with ``python benchmarks/peers.py --cache FOLDER``. Each tool gets an environment of its own in that folder, with
the pinned package from PyPI, and runs ``benchmarks/peers/run_TOOL.py`` on the setting in
``benchmarks/peers/setting.json``; later runs use the environments again. ``benchmarks/README.md`` explains the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = {
    "hwexplore": [str(HERE.parent)],
    "scalesim": ["scalesim==3.0.0", "numpy<2.4"],  # fails on NumPy 2.4
    "zigzag": ["zigzag-dse==3.9.1", "six==1.17.0"],  # imports six, which it does not ask for
    "genz": ["genz-llm==0.0.16"],
}
TERMS = {"MAC": "MAC", "buffer": "buffer", "DRAM": "DRAM", "array clock": "clock", "static": "static"}
"""Terms of the energy that are printed, and their headings."""


def run(tool: str, cache: Path, setting: dict) -> dict:
    """Make the tool's environment and run it there."""
    folder = cache / tool
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[tool]]
    subprocess.run(install, check=True, stdout=sys.stderr)
    script = HERE / "peers" / f"run_{tool}.py"
    done = subprocess.run([python, script], input=json.dumps(setting), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for the environments")
    cache = parser.parse_args().cache.resolve()
    setting = json.loads((HERE / "peers" / "setting.json").read_text("utf-8"))
    results = {}
    for tool in PACKAGES:
        results[tool] = run(tool, cache, setting)
        setting["costs"] = results["hwexplore"]["costs"]
    columns = "".join(f"{head:>14}" for head in ("cycles", "compute", "roofline"))
    heads = "".join(f"{head:>10}" for head in ("DRAM MB", *TERMS.values()))
    print(f"{'workload':34}{'tool':10}{columns}{heads} uJ{'evals/s':>13}")
    for workload in (name for name in results["hwexplore"] if name != "costs"):
        for tool, found in results.items():
            if workload in found:
                print(f"{workload:34}{tool:10}{_row(found[workload])}")


def _row(found: dict) -> str:
    energy = found.get("energy_uj", {})
    cells = [
        f"{found['cycles']:14,.0f}",
        *(f"{found[name]:14,.0f}" if name in found else " " * 14 for name in ("compute_cycles", "roofline_cycles")),
        f"{1e-6 * found['dram_bytes']:10.4g}" if "dram_bytes" in found else " " * 10,
        *(f"{energy[term]:10.4g}" if term in energy else " " * 10 for term in TERMS),
        f"   {found['evaluations_per_s']:13,.4g}",
    ]
    return "".join(cells)


if __name__ == "__main__":
    main()
