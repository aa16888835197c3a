"""A pynq device behind which a simulation of the core runs, in another process: see `hwexplore.fpga.simulated.server`.

The driver, ``Overlay``, ``DMA``, ``DefaultIP`` and ``register_map`` are those of a real board.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
from itertools import count
from pathlib import Path
from typing import Any

from pynq import Device
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

__all__ = ["SimulatedDevice", "SimulationError"]

VARIABLE = "HWEXPLORE_SIMULATION"
"""Environment variable with the port of the simulation on 127.0.0.1."""
MEMORY, ALIGNMENT = 0x1000_0000, 4096
PATIENCE_S = 60.0
"""Of real time, for one answer of the simulation."""


class SimulationError(RuntimeError):
    """The simulation is gone, or says what was wrong with a request."""


class SimulatedDevice(Device):
    """The first device there is, if `VARIABLE` names a simulation.

    Buffers are in the host's memory; the simulated DMA sees its own, into which ``flush`` copies and out of which
    ``invalidate`` does.
    """

    _probe_priority_ = 10

    @classmethod
    def _probe_(cls) -> list[SimulatedDevice]:
        return [cls(int(os.environ[VARIABLE]))] if VARIABLE in os.environ else []

    def __init__(self, port: int) -> None:
        super().__init__(f"hwexplore simulation at port {port}")
        self.name = self.tag
        self.capabilities = {"REGISTER_RW": True}
        self._next = MEMORY
        self._numbers = count()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._answers = self._socket.makefile("r", encoding="ascii")

    def read_registers(self, address: int, length: int) -> bytes:
        return self._ask("read", address, length=length)

    def write_registers(self, address: int, data: bytes) -> None:
        self._ask("write", address, data=data.hex())

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 1, **_: Any) -> PynqBuffer:
        """A buffer that the simulated DMA sees at an address of its own; addresses are not used twice."""
        address = self._next
        buffer = PynqBuffer(shape, dtype, device=self, device_address=address, bo=address, coherent=False)
        buffer.pointer = None
        self._next += -(-max(buffer.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        return buffer

    def flush(self, bo: int, offset: int, pointer: int, size: int) -> None:
        self._ask("store", bo + offset, data=ctypes.string_at(pointer, size).hex())

    def invalidate(self, bo: int, offset: int, pointer: int, size: int) -> None:
        ctypes.memmove(pointer, self._ask("load", bo + offset, length=size), size)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        # Parsed anew: pynq caches by the hash of the .bit, which says nothing of the .hwh of a simulation.
        parser = RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))
        parser.refresh_hierarchy_dict()
        # The clock is the simulator's, and there is no processing system whose registers could set it.
        parser.clock_dict = {}
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Reset the simulated logic: which core it is was said when the simulation began."""
        self._ask("reset")
        super().post_download(bitstream, parser)

    def _ask(self, request: str, address: int = 0, **more: Any) -> bytes:
        number = next(self._numbers)
        line = json.dumps({"request": request, "number": number, "address": address, **more})
        try:
            self._socket.sendall(line.encode("ascii") + b"\n")
            answer = self._answers.readline()
        except OSError as error:
            raise SimulationError(f"the simulation did not answer ({error}); see its log") from None
        if not answer:
            raise SimulationError("the simulation has ended; see its log")
        said = json.loads(answer)
        if "problem" in said:
            raise SimulationError(said["problem"])
        return bytes.fromhex(said["data"])
