"""An ONNX file without its weights: what is left says everything about the graph and little of the data.

Works on the wire format of protocol buffers (protobuf.dev/programming-guides/encoding) with the field numbers of
onnx.proto, so that weights are neither read nor copied, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hwexplore.errors import InputError

__all__ = ["MALFORMED", "without_weights"]

SMALL = 4096
"""Tensors of no more bytes stay: they may hold shapes, axes and bit widths."""
MAX_STRUCTURE = 32 * 2**20
"""Bytes that may be left; the graphs of the largest networks take a few million."""
MALFORMED = "malformed or cut short; expected a whole ModelProto"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Message:
    """Fields of a message by number: those to descend into, and those to leave out where they are large."""

    parts: dict[int, Message] = field(default_factory=dict)
    data: frozenset[int] = frozenset()


TENSOR = Message(data=frozenset({4, 5, 6, 7, 9, 10, 11}))
GRAPH = Message()
ATTRIBUTE = Message({5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: Message({1: TENSOR, 2: TENSOR})})
NODE = Message({5: ATTRIBUTE}, data=frozenset({6, 9}))  # doc_string, metadata_props
GRAPH.parts.update({1: NODE, 5: TENSOR, 15: Message({1: TENSOR, 2: TENSOR})})
MODEL = Message({7: GRAPH, 25: Message({7: NODE})}, data=frozenset({20}))  # training_info


def without_weights(file: memoryview, source: str) -> bytes:
    """The ModelProto in ``file`` without the data of tensors of more than ``SMALL`` bytes.

    InputError if ``file`` is not a protocol buffer or more than ``MAX_STRUCTURE`` bytes are left.
    """
    try:
        kept = _size_checked(_kept(file, MODEL), source)
    except (IndexError, RecursionError, ValueError):
        raise InputError(
            f"{source} is not an ONNX file: malformed or cut short; expected a whole ModelProto."
        ) from None
    return b"".join(kept)


def _size_checked(pieces: Iterator[bytes | memoryview], source: str) -> list[bytes | memoryview]:
    kept, size = [], 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > MAX_STRUCTURE:
            raise InputError(f"{source} has more than {MAX_STRUCTURE} bytes besides its weights; expected a network.")
    return kept


def _kept(buffer: memoryview, message: Message) -> Iterator[bytes | memoryview]:
    """The pieces of ``buffer`` to keep, in order."""
    start = at = 0
    while at < len(buffer):
        tag_at = at
        tag, at = _varint(buffer, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == BYTES:
            size, content = _varint(buffer, at)
            at = content + size
            if at > len(buffer):
                raise IndexError
            if size > SMALL and (number in message.parts or number in message.data):
                yield buffer[start:tag_at]
                start = at
                if number in message.parts:
                    inner = list(_kept(buffer[content:at], message.parts[number]))
                    yield _written(tag) + _written(sum(map(len, inner)))
                    yield from inner
        elif wire_type == VARINT:
            _, at = _varint(buffer, at)
        elif wire_type in (FIXED32, FIXED64):
            at += 4 if wire_type == FIXED32 else 8
        else:
            raise IndexError
    if at > len(buffer):
        raise IndexError
    yield buffer[start:at]


def _varint(buffer: memoryview, at: int) -> tuple[int, int]:
    """An integer of up to 64 bits and where it ends."""
    value = shift = 0
    while True:
        byte = buffer[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise IndexError


def _written(value: int) -> bytes:
    """``value`` as a varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
