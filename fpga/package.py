"""The wheel that goes onto the board: an overlay, its driver, and what the driver needs of hwexplore.

It needs NumPy and pynq alone. Its modules are copies of ours under the package's own name, so that it does not matter
whether hwexplore is there too.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwexplore.errors import InputError
from hwexplore.fpga.build import TOP
from hwexplore.fpga.driver.gemm import BoardShell
from hwexplore.writing import write_whole

__all__ = ["package"]

MODULES = (
    "errors",
    *(f"formats.{name}" for name in ("__init__", "base", "catalog", "integer", "minifloat", "notation", "scaled")),
    *(f"pe.{name}" for name in ("accumulator", "arguments", "arithmetic", "codes")),
    *(f"pe.{name}" for name in ("mac_operands", "operand", "tile", "vector_unit")),
    *(f"accelerator.{name}" for name in ("geometry", "streams")),
    *(f"fpga.{name}" for name in ("accessors", "packets", "registers")),
    *(f"fpga.driver.{name}" for name in ("__init__", "board", "gemm", "mac")),
    *(f"fpga.simulated.{name}" for name in ("__init__", "device")),
)
"""What goes along as it is; the other packages are empty."""
EMPTY = ("pe", "accelerator", "fpga", "overlay", "notebooks")
VERSION = "0.1.0"
LOAD = '''"""A systolic array on this board."""

from pathlib import Path


def load(*, device=None, timeout_s=10.0):
    """Load the overlay of this package; see `{name}.fpga.driver.gemm.Gemm`."""
    from {name}.fpga.driver.board import load as load_overlay

    return load_overlay(Path(__file__).parent / "overlay" / "{top}.bit", device=device, timeout_s=timeout_s)
'''
METADATA = """Metadata-Version: 2.1
Name: {project}
Version: {version}
Summary: A systolic array of {pe} as an overlay for PYNQ
License: Apache-2.0
Requires-Python: >=3.10
Requires-Dist: numpy
Requires-Dist: pynq
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: hwexplore\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY_POINTS = """[pynq.overlays]
{name} = {name}.overlay

[pynq.lib]
{name} = {name}.fpga.driver.board

[pynq.notebooks]
{name} = {name}.notebooks
"""


def package(folder: Path, bitfile: Path, out: Path, name: str = "hwexplore_overlay") -> Path:
    """Write the wheel of package ``name`` into the folder ``out`` and return its path.

    ``folder`` is that of `hwexplore fpga build`; ``bitfile`` has its ``.hwh`` beside it. InputError if a file is
    missing, if the driver does not support the PE, or if the name cannot be that of a package.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == "hwexplore":
        raise InputError(f"name {name!r} must be lower-case letters, digits and _, a letter first, and not hwexplore")
    text = _read(folder / f"{TOP}.json").decode("utf-8")
    table = json.loads(text)
    BoardShell.of(table)
    content: dict[str, str | bytes] = {
        f"{name}/__init__.py": LOAD.format(name=name, top=TOP),
        **{f"{name}/{empty}/__init__.py": "" for empty in EMPTY},
        **{f"{name}/{module.replace('.', '/')}.py": _renamed(module, name) for module in MODULES},
        f"{name}/overlay/{TOP}.bit": _read(bitfile),
        f"{name}/overlay/{TOP}.hwh": _read(bitfile.with_suffix(".hwh")),
        f"{name}/overlay/{TOP}.json": text,
        f"{name}/notebooks/product.ipynb": json.dumps(_notebook(name, table), indent=1) + "\n",
    }
    # The build in the version, so that pip replaces the one of another bitstream.
    version = f"{VERSION}+{table['build']}"
    info = f"{name}-{version}.dist-info"
    project, pe = name.replace("_", "-"), table["overlay"]["pe"]
    content |= {
        f"{info}/METADATA": METADATA.format(project=project, version=version, pe=pe),
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY_POINTS.format(name=name),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output folder {out} cannot be made: {error.strerror}") from None
    wheel = out / f"{name}-{version}-py3-none-any.whl"
    write_whole(wheel, _zipped(content, f"{info}/RECORD"))
    return wheel


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _renamed(module: str, name: str) -> str:
    *parents, last = module.split(".")
    text = files("hwexplore").joinpath(*parents, f"{last}.py").read_text("utf-8")
    return re.sub(r"^(\s*from )hwexplore\b", rf"\1{name}", text, flags=re.M)


def _notebook(name: str, table: dict[str, Any]) -> dict[str, Any]:
    call = (
        "gemm(activations, weights)"
        if table["overlay"]["output"] is None
        else ("gemm(activations, weights, output_scale=0.25)")
    )
    cells = [
        f"import numpy as np\n\nfrom {name} import load\n\ngemm = load()\ngemm.registers.text('pe')",
        "rng = np.random.default_rng(0)\nactivations, weights = rng.standard_normal((8, 16)), "
        f"rng.standard_normal((4, 16))\nabs({call} - activations @ weights.T).max()",
    ]
    return {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell{number}",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _zipped(content: dict[str, str | bytes], record: str) -> bytes:
    lines, packed = [], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in content.items():
            data = text if isinstance(text, bytes) else text.encode("utf-8")
            digest = base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode("ascii")
            lines.append(f"{path},sha256={digest},{len(data)}\n")
            # With a date of its own each file would make another wheel of the same overlay.
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(record), "".join([*lines, f"{record},,\n"]))
    return packed.getvalue()
