"""Workloads: the operators of real networks, and the precision policies that give them formats."""

from __future__ import annotations

from hwexplore.workloads.catalog import load, names
from hwexplore.workloads.operators import Operator, Unmodelled
from hwexplore.workloads.policy import OperandFormat, Operands, Policy
from hwexplore.workloads.torch import from_torch
from hwexplore.workloads.workload import Workload

__all__ = ["OperandFormat", "Operands", "Operator", "Policy", "Unmodelled", "Workload", "from_torch", "load", "names"]
