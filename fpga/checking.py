"""Whether what is in the folder of an overlay belongs together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from hwexplore.errors import InputError
from hwexplore.fpga.build import TOP
from hwexplore.fpga.handoff import differences
from hwexplore.fpga.vivado import PREDICTION, SCRIPT

__all__ = ["check_hwh", "problems", "read"]

NAME = "hwexplore"


def read(path: Path) -> str:
    """The text of a file; InputError if it is not there or no text."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8") from None


def check_hwh(path: Path, predicted: Path | None = None) -> list[str]:
    """`differences` of a hand-off from its prediction, by default the one beside it."""
    return differences(read(predicted or path.parent / PREDICTION), read(path))


def problems(folder: Path) -> list[str]:
    """What is wrong with the files of an overlay, one sentence each; those that Vivado makes may be missing both."""
    missing = [name for name in (f"{TOP}.v", f"{TOP}.json", SCRIPT, PREDICTION) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder} has no {', '.join(missing)}; make it with hwexplore fpga build --board zcu104")
    return [*_hash(read(folder / f"{TOP}.v"), read(folder / f"{TOP}.json")), *_made(folder)]


def _hash(verilog: str, table: str) -> Iterator[str]:
    try:
        described = json.loads(table)
        build, overlay = described["build"], described["overlay"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise InputError(f"{TOP}.json is no table of registers of hwexplore fpga build") from None
    states, *modules = re.split(r"(?<=^endmodule\n)", verilog, flags=re.M)[:-1] or [""]
    digest = sha256("\n".join([json.dumps(overlay, sort_keys=True), *modules]).encode()).hexdigest()[:16]
    if digest != build:
        yield f"{TOP}.v is not the Verilog of the table: its hash is {digest} and {TOP}.json says {build}; build again."
    if f"64'h{build}" not in states:
        yield f"{TOP}.v does not state the build {build} of {TOP}.json; build again."


def _made(folder: Path) -> Iterator[str]:
    bit, hwh = folder / f"{NAME}.bit", folder / f"{NAME}.hwh"
    for one, other in ((bit, hwh), (hwh, bit)):
        if one.is_file() and not other.is_file():
            yield f"{one.name} is there without {other.name}; run {SCRIPT} again."
    if hwh.is_file():
        yield from check_hwh(hwh)
