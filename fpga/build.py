"""From an overlay to its files: Verilog, and the table of registers that its driver reads."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from hwexplore.errors import InputError
from hwexplore.fpga.core import BUILD_MODULE, Core
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.registers import ADDRESS_BITS, Register, as_json
from hwexplore.rtl.gemm import part_modules
from hwexplore.rtl.verilog import convert
from hwexplore.writing import write_whole

__all__ = ["TOP", "Build", "build"]

TOP = "hwexplore_gemm"
"""The Verilog module that a block design places."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a driver and a block design have to know of a core, and its ``verilog``."""

    overlay: Overlay
    verilog: str
    hash: int

    @property
    def registers(self) -> tuple[Register, ...]:
        """The registers, with the hash of the build."""
        return tuple(
            replace(register, reset=self.hash) if register.name == "build" else register
            for register in self.overlay.registers
        )

    @property
    def table(self) -> dict[str, Any]:
        """The description of the core as values of JSON."""
        return {
            "top": TOP,
            "build": f"{self.hash:016x}",
            "address_bits": ADDRESS_BITS,
            "overlay": self.overlay.description,
            "registers": as_json(self.registers),
        }

    def write(self, folder: Path) -> list[Path]:
        """Write ``hwexplore_gemm.v`` and ``.json`` into ``folder``, which is made if need be; InputError if not."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"output folder {folder} cannot be made: {error.strerror}") from None
        files = {f"{TOP}.v": self.verilog, f"{TOP}.json": json.dumps(self.table, indent=1) + "\n"}
        for name, text in files.items():
            write_whole(folder / name, text)
        return [folder / name for name in files]


def build(overlay: Overlay) -> Build:
    """The Verilog of ``overlay`` and its hash: that of the description and all modules but the one that states it."""
    modules = {**part_modules(overlay.array), TOP: convert(Core(overlay), TOP, attributes=True)}
    description = json.dumps(overlay.description, sort_keys=True)
    digest = sha256("\n".join([description, *modules.values()]).encode()).digest()
    number = int.from_bytes(digest[:8], "big")
    states = f"module {BUILD_MODULE}(output [63:0] hash);\n  assign hash = 64'h{number:016x};\nendmodule\n"
    return Build(overlay=overlay, verilog="".join([states, *modules.values()]), hash=number)
