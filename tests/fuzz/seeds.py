"""Sound inputs that mutations start from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from onnx_graphs import BOOL, INT8, INT64, LIGHT, UINT8, constant, graph, model, node, onnx, tensor, weights

__all__ = ["configs", "models"]


def configs() -> list[dict[str, Any]]:
    """The config.json of every language model of the catalogue."""
    folder = files("hwexplore.models").joinpath("workloads")
    entries = (json.loads(file.read_text("utf-8")) for file in sorted(folder.iterdir(), key=lambda file: file.name))
    return [entry["config"] for entry in entries if "config" in entry]


def models() -> list[Any]:
    """Small ModelProtos that between them reach every part of the importer."""
    light = [onnx.load(LIGHT / f"light_{name}.onnx", load_external_data=False) for name in ("squeezenet", "zfnet512")]
    return [*light, *_small()]


def _small() -> Iterator[Any]:
    yield model(
        [
            node("Conv", "x w b", "c", group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
            node("BatchNormalization", "c s s s s", "n"),
            node("Relu", "n", "r"),
            node("MaxPool", "r", "p", kernel_shape=[2, 2]),
            node("ConvTranspose", "p v", "t", strides=[2, 2]),
            node("Resize", "t - scales", "u", mode="linear"),
            node("ReduceMean", "u axes", "m"),
            node("Shape", "m", "shape"),
            node("Reshape", "m flat", "f"),
            node("Gemm", "f g", "y", transB=1),
        ],
        {"x": [1, 4, 16, 16]},
        initializers=[
            *(
                weights("w", 8, 2, 3, 3),
                weights("b", 8),
                weights("s", 8),
                weights("v", 8, 4, 2, 2),
                weights("g", 10, 4),
            ),
            *(constant("scales", [1.0, 1.0, 2.0, 2.0], onnx.TensorProto.FLOAT), constant("axes", [2, 3])),
            constant("flat", [0, -1]),
        ],
    )
    yield model(
        [
            *(node("MatMul", f"x w{i}", f"p{i}") for i in "qkv"),
            *(node("Transpose", f"p{i}", f"t{i}", perm=[0, 2, 1]) for i in "k"),
            node("MatMul", "pq tk", "scores"),
            node("Softmax", "scores", "weighted"),
            node("MatMul", "weighted pv", "z"),
            node("LayerNormalization", "z g g", "n"),
            node("Gelu", "n", "a"),
            node("Einsum", "a wo", "o", equation="bij,jk->bik"),
            node("Add", "o x", "y"),
        ],
        {"x": ["batch", 16, 32]},
        initializers=[*(weights(f"w{i}", 32, 32) for i in "qkvo"), weights("g", 32)],
    )
    scale = constant("s", 0.1, onnx.TensorProto.FLOAT)
    yield model(
        [
            node("QuantizeLinear", "x s zx", "xq"),
            node("DequantizeLinear", "xq s zx", "xd"),
            node("DequantizeLinear", "w ws", "wd", axis=0),
            node("Conv", "xd wd", "c"),
            node("QLinearConv", "xq s zx w2 s zw s zx", "q"),
            node("DequantizeLinear", "q s zx", "qd"),
            node("Add", "c qd", "y"),
        ],
        {"x": [1, 3, 8, 8]},
        initializers=[
            *(scale, constant("zx", 0, UINT8), constant("zw", 0, INT8), weights("ws", 4)),
            *(weights("w", 4, 3, 3, 3, type=INT8), weights("w2", 4, 3, 3, 3, type=INT8)),
        ],
    )
    quant = {"domain": "qonnx.custom_op.general"}
    yield model(
        [
            node("Quant", "x s z four", "xq", signed=0, **quant),
            node("Quant", "w s z four", "wq", signed=1, narrow=1, **quant),
            node("BipolarQuant", "v s", "vq", **quant),
            node("Trunc", "xq s z four four", "t", **quant),
            node("MatMul", "t wq", "h"),
            node("MatMul", "h vq", "y"),
        ],
        {"x": [1, 32]},
        initializers=[
            *(scale, constant("z", 0.0, onnx.TensorProto.FLOAT), constant("four", 4.0, onnx.TensorProto.FLOAT)),
            *(weights("w", 32, 32), weights("v", 32, 10)),
        ],
    )
    body = graph(
        [node("MatMul", "h w", "p"), node("Tanh", "p", "after"), node("Identity", "go", "still")],
        [tensor("i", [], INT64), tensor("go", [], BOOL), tensor("h", None)],
        ["still", "after"],
    )
    step = graph(
        [node("Add", "state slice", "next"), node("Identity", "next", "out")],
        [tensor("state", None), tensor("slice", None)],
        ["next", "out"],
    )
    branch = graph([node("MatMul", "final w", "chosen")], [], ["chosen"])
    yield model(
        [
            node("Loop", "trips - x", "looped", body=body),
            node("Scan", "x xs", "final outs", body=step, num_scan_inputs=1),
            node("If", "yes", "picked", then_branch=branch, else_branch=branch),
            node("Mystery", "looped picked", "y", domain="com.example"),
        ],
        {"x": [2, 8], "xs": [5, 2, 8]},
        initializers=[constant("trips", 3), constant("yes", 1, BOOL), weights("w", 8, 8)],
    )
