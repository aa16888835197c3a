"""Random damage to sound inputs."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

__all__ = ["damaged", "damaged_config", "damaged_model"]

SIZES = (0, 1, -1, 2, 3, 7, 2**31 - 1, 2**31, 2**40, 2**63 - 1, -(2**63))
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**40, 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "x", "\ud800"),
    *([], {}, [1], {"a": 1}, ["LlamaForCausalLM", 1], "LlamaForCausalLM", [[[[[[[[]]]]]]]]),
)
NAMES = ("", "x", "y", "w", "no such tensor", "é" * 300, "<b>", "a;b=c/d")
OP_TYPES = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Attention", "Relu", "Reshape", "Concat", "Gather", "Split"),
    *("MaxPool", "GlobalAveragePool", "BatchNormalization", "LRN", "Resize", "Softmax", "ReduceSum", "Shape", "Slice"),
    *(
        "Constant",
        "ConstantOfShape",
        "QuantizeLinear",
        "DequantizeLinear",
        "QLinearConv",
        "QLinearMatMul",
        "If",
        "Loop",
    ),
    *(
        "Scan",
        "NonZero",
        "TopK",
        "LSTM",
        "Range",
        "Tile",
        "Expand",
        "Pad",
        "Cast",
        "Where",
        "SequenceEmpty",
        "Optional",
    ),
)


def damaged(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`content` after one to four random changes of its bytes."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice((_flip, _flip, _flip, _truncate, _splice, _repeat, _overwrite))(out, rng, others)
    return bytes(out)


def _flip(out: bytearray, rng: random.Random, others: list[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8)) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _truncate(out: bytearray, rng: random.Random, others: list[bytes]) -> None:
    del out[rng.randint(0, len(out)) :]


def _splice(out: bytearray, rng: random.Random, others: list[bytes]) -> None:
    other = rng.choice(others)
    start = rng.randint(0, len(other))
    at = rng.randint(0, len(out))
    out[at : at + rng.randint(0, 64)] = other[start : start + rng.randint(0, 256)]


def _repeat(out: bytearray, rng: random.Random, others: list[bytes]) -> None:
    start = rng.randint(0, len(out))
    piece = out[start : start + rng.randint(1, 64)]
    out[start:start] = piece * rng.randint(1, 100)


def _overwrite(out: bytearray, rng: random.Random, others: list[bytes]) -> None:
    start, size = rng.randint(0, len(out)), rng.randint(1, 16)
    out[start : start + size] = rng.randbytes(size) if rng.random() < 0.5 else b"\xff" * size


def damaged_config(config: dict[str, Any], rng: random.Random) -> bytes:
    """A config.json with fields changed, missing or deeply nested."""
    out = dict(config)
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(list(config))
        if rng.random() < 0.2:
            out.pop(key, None)
        else:
            out[key] = rng.choice(VALUES)
    text = json.dumps(out)
    if rng.random() < 0.05:
        depth = rng.choice((50, 900, 5000, 200_000))
        text = text.replace(": ", ": " + "[" * depth + "1" + "]" * depth + ', "more": ', 1)
    if rng.random() < 0.05:
        text = text.replace("1", "1" * rng.choice((30, 4000, 5000)), 1)
    return text.encode("utf-8", "surrogatepass")


def damaged_model(proto: Any, rng: random.Random) -> bytes:
    """A ModelProto with changes that keep it a protocol buffer."""
    out = copy.deepcopy(proto)
    for _ in range(rng.randint(1, 3)):
        rng.choice(CHANGES)(out.graph, rng)
    return bytes(out.SerializeToString())


def _node(graph: Any, rng: random.Random) -> Any:
    return rng.choice(graph.node) if graph.node else graph.node.add()


def _rename_input(graph: Any, rng: random.Random) -> None:
    node = _node(graph, rng)
    names = [*NAMES, *(output for other in graph.node for output in other.output), *(t.name for t in graph.initializer)]
    if node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    else:
        node.input.append(rng.choice(names))


def _drop_input(graph: Any, rng: random.Random) -> None:
    node = _node(graph, rng)
    del node.input[rng.randint(0, len(node.input)) :]


def _rename_output(graph: Any, rng: random.Random) -> None:
    node = _node(graph, rng)
    del node.output[rng.randint(0, len(node.output)) :]
    node.output.extend(rng.sample(NAMES, rng.randint(0, 2)))


def _change_operator(graph: Any, rng: random.Random) -> None:
    node = _node(graph, rng)
    node.op_type = rng.choice(OP_TYPES)
    node.domain = rng.choice(("", "", "", "com.example", "qonnx.custom_op.general"))


def _change_attribute(graph: Any, rng: random.Random) -> None:
    node = _node(graph, rng)
    names = ("group", "kernel_shape", "strides", "pads", "dilations", "axis", "size", "block_size", "equation", "mode")
    attribute = (
        rng.choice(node.attribute)
        if node.attribute and rng.random() < 0.7
        else node.attribute.add(name=rng.choice(names))
    )
    attribute.type = rng.choice(range(15))
    attribute.i = rng.choice(SIZES)
    attribute.ints.extend(rng.choice(SIZES) for _ in range(rng.randint(0, 4)))
    attribute.s = rng.choice((b"", b"SAME_UPPER", b"VALID", b"bij,jk->bik", b"ii,jj->", b"\xff", b"linear", b"cubic"))
    if rng.random() < 0.2:
        del node.attribute[:]


def _resize_tensor(graph: Any, rng: random.Random) -> None:
    if not graph.initializer:
        return
    tensor = rng.choice(graph.initializer)
    if rng.random() < 0.3:
        del tensor.dims[:]
    if tensor.dims and rng.random() < 0.7:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(SIZES)
    else:
        tensor.dims.extend(rng.choice(SIZES) for _ in range(rng.choice((1, 2, 3, 100))))
    if rng.random() < 0.2:
        tensor.data_type = rng.choice((*range(-1, 30), 1000))


def _drop_tensor(graph: Any, rng: random.Random) -> None:
    if graph.initializer:
        del graph.initializer[rng.randrange(len(graph.initializer))]


def _externalise(graph: Any, rng: random.Random) -> None:
    for tensor in graph.initializer:
        tensor.data_location = 1
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(("../../../../etc/passwd", "/dev/zero", "/dev/stdin", ""))


def _resize_input(graph: Any, rng: random.Random) -> None:
    if not graph.input:
        return
    kind = rng.choice(graph.input).type.tensor_type
    if kind.shape.dim and rng.random() < 0.6:
        rng.choice(kind.shape.dim).dim_value = rng.choice(SIZES)
    elif rng.random() < 0.5:
        kind.shape.dim.add(dim_value=rng.choice(SIZES))
    else:
        kind.ClearField(rng.choice(("shape", "elem_type")))


def _swap_nodes(graph: Any, rng: random.Random) -> None:
    nodes = list(graph.node)
    rng.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


def _damage_body(graph: Any, rng: random.Random) -> None:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rng.choice(CHANGES)(attribute.g, rng)


CHANGES: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_rename_input, _drop_input, _rename_output, _change_operator, _change_attribute, _resize_tensor, _drop_tensor),
    *(_externalise, _resize_input, _swap_nodes, _damage_body),
)
