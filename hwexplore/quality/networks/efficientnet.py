"""A convolutional classifier of images, EfficientNet-Lite, with a forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hwexplore.quality.networks.network import LINEAR, Linear, Read, as_is, matmul
from hwexplore.quality.networks.primitives import Array

__all__ = ["EfficientNet", "patches"]


@dataclass(frozen=True, kw_only=True)
class EfficientNet:
    """Stem, stages of inverted residuals, head, classifier (arXiv 1905.11946, without squeeze and excitation).

    ``parameters`` by layer: weights [out, in], where in runs over rows, columns, channels of the kernel, or rows and
    columns in a depthwise layer; ``biases`` by layer: [out]. Batch norm is folded into them. ``stages``: number of
    blocks, stride of the first and kernel of each.
    """

    parameters: dict[str, Array]
    biases: dict[str, Array]
    stages: tuple[tuple[int, int, int], ...]

    @property
    def layers(self) -> list[str]:
        """All convolutions and the classifier."""
        return list(self.parameters)

    @property
    def equalizable(self) -> list[tuple[str, str]]:
        """None: ReLU6 is not linear in the positive."""
        return []

    @property
    def one_scale(self) -> bool:
        """Yes: one for each image."""
        return True

    @property
    def operators(self) -> dict[str, tuple[str, ...]]:
        """The layers."""
        return dict.fromkeys(self.layers, LINEAR)

    def logits(self, inputs: NDArray[Any], linear: Linear = matmul, read: Read = as_is, recent: int = 0) -> Array:
        """Logits [images, classes] for ``inputs`` [images, rows, columns, 3].

        ``linear`` is called for one image at a time, with a row for each position.
        """
        return np.concatenate([self._classify(image, linear) for image in inputs])

    def blocks(self) -> Iterator[tuple[str, int, int]]:
        """Name, kernel and stride of each inverted residual."""
        for stage, (blocks, stride, kernel) in enumerate(self.stages, 1):
            for block in range(blocks):
                yield f"stage{stage}.{block}", kernel, 1 if block else stride

    def _classify(self, image: Array, linear: Linear) -> Array:
        def layer(name: str, x: Array, kernel: int = 1, stride: int = 1) -> Array:
            windows = patches(x, kernel, stride)
            rows, columns, channels = windows.shape[:3]
            depthwise = name.endswith(".depthwise")
            ordered = windows if depthwise else np.moveaxis(windows, 2, -1)
            inputs = ordered.reshape(rows * columns, *([channels] if depthwise else []), -1)
            outputs = linear(name, inputs, self.parameters[name]) + self.biases[name]
            return np.asarray(outputs.reshape(rows, columns, -1))

        x = relu6(layer("stem", image, 3, 2))
        for name, kernel, stride in self.blocks():
            y = relu6(layer(f"{name}.expand", x)) if f"{name}.expand" in self.parameters else x
            y = layer(f"{name}.project", relu6(layer(f"{name}.depthwise", y, kernel, stride)))
            x = x + y if x.shape == y.shape else y
        pooled = np.mean(relu6(layer("head", x)), (0, 1), keepdims=True)
        return np.asarray(layer("classifier", pooled)[0])


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return np.asarray(np.clip(x, 0, 6))


def patches(x: Array, kernel: int, stride: int) -> Array:
    """What a convolution over ``x`` [rows, columns, channels] reads: [rows', columns', channels, kernel, kernel].

    Zeros around ``x`` make rows' = ceil(rows / stride); if their number is odd, the last side has one more
    (TensorFlow's "same").
    """
    padding = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[:2]]
    padded = np.pad(x, [*((n // 2, n - n // 2) for n in padding), (0, 0)])
    return sliding_window_view(padded, (kernel, kernel), (0, 1))[::stride, ::stride]
