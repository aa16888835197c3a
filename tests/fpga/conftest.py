"""The simulator of the tests, and environments like those of boards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hwexplore.errors import InputError
from hwexplore.rtl.simulator import Simulator, find


@pytest.fixture(scope="session")
def verilator() -> Simulator:
    try:
        return find("verilator")
    except InputError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


BOARDS = {
    "pynq 4.0.0": ("python3.12", "pynq==4.0.0"),
    "pynq 3.1.2": ("python3.10", "pynq==3.1.2"),
}
"""pynq and the Python of its image; where that is not to be had, the one of the tests stands in."""
BESIDE = ["setuptools<=80", "wheel", "numpy<2", "pycparser<3"]
"""What pynq needs and does not say: pkg_resources, and the parser's old name."""


@pytest.fixture(scope="session", params=BOARDS)
def board_python(request: pytest.FixtureRequest) -> Path:
    """The Python of an environment with pynq and NumPy 1, made once and kept in pytest's cache."""
    name, pynq = BOARDS[request.param]
    found = shutil.which(name)
    works = found and subprocess.run([found, "--version"], capture_output=True).returncode == 0
    folder = Path(request.config.cache.mkdir("board")) / pynq.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        try:
            subprocess.run([found if works else sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet"]
            subprocess.run([*install, *BESIDE], check=True, capture_output=True)
            subprocess.run([*install, "--no-build-isolation", pynq, *BESIDE], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            if "CI" in os.environ:
                raise
            pytest.skip(f"{pynq} cannot be installed: {error}")
        (folder / "complete").touch()
    return python
