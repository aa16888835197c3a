"""Fuzzing of what reads workloads: every file gives a workload or one sentence, soon and in little memory.

    python tests/fuzz/workloads.py --inputs 10000

runs that many damaged ONNX and JSON files in processes of bounded memory. Input `i` depends on `i` alone.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from fuzz.bombs import BOMBS  # noqa: E402
from fuzz.mutations import damaged, damaged_config, damaged_model  # noqa: E402
from fuzz.seeds import configs, models  # noqa: E402

from hwexplore.errors import InputError  # noqa: E402
from hwexplore.workloads import Policy, Workload, load  # noqa: E402

MEMORY_BYTES = 3 * 2**30
SECONDS = 2.0
CHUNK = 500


class Inputs:
    """Damaged files by number."""

    def __init__(self) -> None:
        self.models, self.configs = models(), configs()
        self.bytes = [proto.SerializeToString() for proto in self.models]
        self.texts = [json.dumps(config).encode() for config in self.configs]

    def __call__(self, number: int) -> tuple[str, bytes]:
        """Name and content of a file; the first are ``BOMBS``."""
        if number < len(BOMBS):
            return "fuzz.onnx", BOMBS[number][0]()
        rng = random.Random(number)
        match number % 8:
            case 0:
                return "fuzz.onnx", rng.randbytes(rng.randint(0, 4096))
            case 1 | 2:
                return "fuzz.onnx", damaged(rng.choice(self.bytes), rng, self.bytes)
            case 3 | 4 | 5:
                return "fuzz.onnx", damaged_model(rng.choice(self.models), rng)
            case 6:
                return "fuzz.json", damaged(rng.choice(self.texts), rng, self.texts)
        return "fuzz.json", damaged_config(rng.choice(self.configs), rng)


def check(path: Path) -> str:
    """Load a file and tabulate it; "workload" or the sentence that refuses it. Whatever else is raised is a defect."""
    dims = {"batch": 2} if b"batch" in path.read_bytes() and path.suffix == ".onnx" else {}
    try:
        workload = load(path, dims=dims)
    except InputError as error:
        sentence = str(error)
        assert sentence
        assert "\n" not in sentence, sentence
        return sentence
    _check_table(workload)
    return "workload"


def _check_table(workload: Workload) -> None:
    frame = workload.to_frame(workload.policy or Policy())
    assert frame["name"].is_unique or workload.phase != "inference"
    numbers = frame.drop(columns=["name", "kind"]).to_numpy(float)
    assert (numbers >= 0).all()
    assert all(map(math.isfinite, numbers.ravel()))
    assert all(name.isprintable() for name in frame["name"])


def work(start: int, stop: int, folder: Path) -> None:
    """Check inputs `start` to `stop` in this process; what is at fault stays in `folder`."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    inputs = Inputs()
    for number in range(start, stop):
        name, content = inputs(number)
        path = folder / name
        path.write_bytes(content)
        (folder / "number").write_text(str(number))
        began = time.perf_counter()
        result = check(path)
        took = time.perf_counter() - began
        assert took < SECONDS, f"input {number} took {took:.2f} s: {result}"
        print("workload" if result == "workload" else "refused")


def main(total: int, first: int = 0) -> int:
    """Check `total` inputs; 0 if all of them behave."""
    counts = {"workload": 0, "refused": 0}
    for start in range(first, first + total, CHUNK):
        stop = min(start + CHUNK, first + total)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--worker", str(start), str(stop), folder]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                print(f"input {(Path(folder) / 'number').read_text()} fails, exit {run.returncode}:\n{run.stderr}")
                return 1
        for result in run.stdout.split():
            counts[result] += 1
    print(f"{total} inputs: {counts['workload']} workloads, {counts['refused']} refused in one sentence")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--worker", nargs=3, metavar=("START", "STOP", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(int(arguments.worker[0]), int(arguments.worker[1]), Path(arguments.worker[2]))
    else:
        sys.exit(main(arguments.inputs, arguments.first))
