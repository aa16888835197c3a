"""PyTorch modules as workloads."""

from __future__ import annotations

from hwexplore.workloads.torch.importer import from_torch

__all__ = ["from_torch"]
