"""An ONNX file without its weights: what is left says everything about the graph and little of the data.

Works on the wire format of protocol buffers (protobuf.dev/programming-guides/encoding) with the field numbers of
onnx.proto, so that weights are neither read nor copied, whatever the file's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwexplore.errors import InputError

__all__ = ["BYTES", "MALFORMED", "VARINT", "skipped", "varint", "without_weights"]

SMALL = 4096
"""Fields of no more bytes stay as they are: they may be shapes, axes and bit widths."""
MAX_LIST = 2**18
"""Bytes of an attribute's list of numbers."""
MAX_STRUCTURE = 16 * 2**20
"""Bytes that may be left; the graphs of the largest networks take a few million."""
MAX_FIELDS = 300_000
MALFORMED = "malformed or cut short; expected a whole ModelProto"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Message:
    """Large fields of a message by number: those to descend into, those to leave out, and lists to keep."""

    parts: dict[int, Message] = field(default_factory=dict)
    data: frozenset[int] = frozenset()
    lists: frozenset[int] = frozenset()


TENSOR = Message(data=frozenset({4, 5, 6, 7, 9, 10, 11, 12, 13, 16}))
SPARSE = Message({1: TENSOR, 2: TENSOR})
GRAPH = Message(data=frozenset({10, 13, 14, 16}))
ATTRIBUTE = Message(
    {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE}, data=frozenset({4, 9, 13}), lists=frozenset({7, 8})
)
NODE = Message({5: ATTRIBUTE}, data=frozenset({6, 9, 10}))
GRAPH.parts.update({1: NODE, 5: TENSOR, 15: SPARSE})
FUNCTION = Message({7: NODE}, data=frozenset({8, 11, 12, 14}))
MODEL = Message({7: GRAPH, 25: FUNCTION}, data=frozenset({6, 14, 20, 26}))


def without_weights(file: memoryview, source: str) -> bytes:
    """The ModelProto in ``file`` without its large texts and tensors of more than ``SMALL`` bytes.

    InputError if ``file`` is not a protocol buffer or what is left is too large for the description of a network.
    """
    stripped = Stripped(source)
    try:
        return b"".join(stripped.pieces(file, MODEL))
    except (IndexError, RecursionError):
        raise InputError(f"{source} is not an ONNX file: {MALFORMED}.") from None


@dataclass
class Stripped:
    """Counts what is read and kept of a file."""

    source: str
    fields: int = 0
    size: int = 0

    def pieces(self, buffer: memoryview, message: Message) -> list[bytes | memoryview]:
        """The pieces of ``buffer`` to keep, in order."""
        kept: list[bytes | memoryview] = []
        start = at = 0
        while at < len(buffer):
            field_at = at
            tag, at = varint(buffer, at)
            number, wire_type = tag >> 3, tag & 7
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise InputError(f"{self.source} has more than {MAX_FIELDS} fields; expected a network.")
            if wire_type == BYTES:
                size, content = varint(buffer, at)
                at = content + size
                if at > len(buffer):
                    raise IndexError
                if size > SMALL and not (number in message.lists and size <= MAX_LIST):
                    kept += [buffer[start:field_at], *self._large(tag, buffer[content:at], message)]
                    start = at
            else:
                at = skipped(buffer, at, wire_type)
        kept.append(buffer[start:at])
        self.size += at - start
        if self.size > MAX_STRUCTURE:
            raise InputError(f"{self.source} has more than {MAX_STRUCTURE} bytes besides its weights.")
        return kept

    def _large(self, tag: int, content: memoryview, message: Message) -> list[bytes | memoryview]:
        """What to keep of a large field."""
        number = tag >> 3
        if number in message.data:
            return []
        if number not in message.parts:
            raise InputError(f"{self.source} has a field of {len(content)} bytes; expected tensors alone to be large.")
        inner = self.pieces(content, message.parts[number])
        return [_written(tag), _written(sum(map(len, inner))), *inner]


def skipped(buffer: memoryview, at: int, wire_type: int) -> int:
    """Where a field of fixed or variable length that starts at ``at`` ends."""
    if wire_type == VARINT:
        return varint(buffer, at)[1]
    end = at + {FIXED32: 4, FIXED64: 8}.get(wire_type, len(buffer) + 1)
    if end > len(buffer):
        raise IndexError
    return end


def varint(buffer: memoryview, at: int) -> tuple[int, int]:
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
