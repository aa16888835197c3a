from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import correlate2d

from hwexplore.quality.networks.efficientnet import EfficientNet, patches


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(8, 3, 1), (8, 3, 2), (7, 3, 2), (8, 5, 2), (7, 5, 1), (6, 1, 1)]
)
def test_patches_are_those_of_a_convolution(side: int, kernel: int, stride: int) -> None:
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((side, side, 3)), random.standard_normal((3, kernel, kernel))
    found = np.einsum("rcikl,ikl->rc", patches(x, kernel, stride), weight)
    padding = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    padded = np.pad(x, [(padding // 2, padding - padding // 2)] * 2 + [(0, 0)])
    whole = sum(correlate2d(padded[..., i], weight[i], "valid") for i in range(3))
    np.testing.assert_allclose(found, whole[::stride, ::stride], atol=1e-12)
    assert found.shape == (-(-side // stride),) * 2


def test_even_sides_halved_are_padded_below_and_right() -> None:
    found = patches(np.ones((4, 4, 1)), 3, 2)
    assert found[0, 0].all()
    assert not found[-1, -1, 0, -1].any()
    assert not found[-1, -1, 0, :, -1].any()


def tiny() -> EfficientNet:
    random = np.random.default_rng(1)
    shapes = {
        "stem": (4, 27),
        "stage1.0.depthwise": (4, 9),
        "stage1.0.project": (4, 4),
        "stage2.0.expand": (8, 4),
        "stage2.0.depthwise": (8, 25),
        "stage2.0.project": (5, 8),
        "head": (6, 5),
        "classifier": (7, 6),
    }
    return EfficientNet(
        parameters={name: random.standard_normal(shape) for name, shape in shapes.items()},
        biases={name: random.standard_normal(shape[0]) for name, shape in shapes.items()},
        stages=((1, 1, 3), (1, 2, 5)),
    )


def test_forward_by_loops() -> None:
    """Against nested loops over positions, with the layers' meaning written out."""
    network = tiny()
    image = np.random.default_rng(2).standard_normal((10, 10, 3))

    def convolve(name: str, x: np.ndarray, kernel: int, stride: int, relu: bool = True) -> np.ndarray:
        weight, bias = network.parameters[name], network.biases[name]
        rows, columns = (-(-n // stride) for n in x.shape[:2])
        before = [max((m - 1) * stride + kernel - n, 0) // 2 for m, n in zip((rows, columns), x.shape[:2], strict=True)]
        y = np.zeros((rows, columns, len(weight)))
        for r in range(rows):
            for c in range(columns):
                y[r, c] = bias
                for i in range(kernel):
                    for j in range(kernel):
                        from_r, from_c = r * stride + i - before[0], c * stride + j - before[1]
                        if not (0 <= from_r < x.shape[0] and 0 <= from_c < x.shape[1]):
                            continue
                        tap = i * kernel + j
                        if "depthwise" in name:
                            y[r, c] += weight[:, tap] * x[from_r, from_c]
                        else:
                            channels = x.shape[2]
                            y[r, c] += weight[:, tap * channels : (tap + 1) * channels] @ x[from_r, from_c]
        return np.minimum(np.maximum(y, 0), 6) if relu else y

    x = convolve("stem", image, 3, 2)
    x = x + convolve("stage1.0.project", convolve("stage1.0.depthwise", x, 3, 1), 1, 1, relu=False)
    y = convolve("stage2.0.depthwise", convolve("stage2.0.expand", x, 1, 1), 5, 2)
    x = convolve("head", convolve("stage2.0.project", y, 1, 1, relu=False), 1, 1)
    expected = network.parameters["classifier"] @ x.mean((0, 1)) + network.biases["classifier"]
    np.testing.assert_allclose(network.logits(image[np.newaxis]), expected[np.newaxis], atol=1e-10)


def test_images_do_not_meet() -> None:
    network, images = tiny(), np.random.default_rng(3).standard_normal((3, 8, 8, 3))
    np.testing.assert_array_equal(network.logits(images)[1:2], network.logits(images[1:2]))
