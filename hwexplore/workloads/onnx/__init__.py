"""ONNX graphs as workloads."""

from __future__ import annotations

from hwexplore.workloads.onnx.importer import load_onnx

__all__ = ["load_onnx"]
