"""What formats do to the tensors of a file, however large."""

from hwexplore.quality.tensors.sweep import measure_tensors, read_tensors
from hwexplore.quality.tensors.tensor import Tensor

__all__ = ["Tensor", "measure_tensors", "read_tensors"]
