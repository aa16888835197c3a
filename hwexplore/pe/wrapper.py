"""What the stream around a PE's core costs; the core itself is not in it."""

from __future__ import annotations

from hwexplore.pe.base import PE
from hwexplore.pe.circuits import gates, registers
from hwexplore.technology import Bill

__all__ = ["wrapper_bill"]


def wrapper_bill(pe: PE) -> Bill:
    """The bill of `hwexplore.rtl.stream.StreamWrapper`: a register for the sums of a run, and its handshake.

    Activities are those of a PE that ends a run in every other cycle, the most that the handshake allows.
    """
    bits, depth = sum(pe.outputs.values()), pe.latency_cycles
    why = f"{bits} bits of {', '.join(pe.outputs)}"
    output = gates("output", "mux2", bits, 0.25, f"{why}, held until taken")
    handshake = gates("handshake", "and2", 4, 0.5, "beat taken, run ended, sums taken, sums in the way of the next run")
    handshake += gates("handshake", "or2", 2, 0.5, "sums valid, output reserved")
    handshake += gates("handshake", "mux2", 1, 0.5, "does the next beat begin a run")
    reset = gates("reset", "and2", bits + 3 + depth, 0.25, "synchronous, one per flip-flop")
    circuit = (
        (handshake + output + reset)
        .beside(registers("output", bits, 0.25, why))
        .beside(registers("handshake", 3 + depth, 0.5, f"valid, reserved, first; ends of runs in {depth} stages"))
    )
    return Bill(circuit.items, (circuit.path,))
