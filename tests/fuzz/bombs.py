"""ONNX files that take little room and would take much memory or time, written field by field."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["BOMBS", "field"]


def field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


BOMBS: tuple[tuple[Callable[[], bytes], str], ...] = (
    (lambda: field(7, field(1, b"") * 8_000_000), "more than 300000 fields"),
    (lambda: field(7, field(1, b"") * 200_000), "more than 100000 nodes"),
    (lambda: field(7, field(1, field(1, b"") * 2000) * 1000), "more than 100000 nodes"),
    (lambda: field(7, field(1, b"") + field(11, field(1, b"x") * 2000)), "a field of 6000 bytes; expected tensors"),
    (lambda: field(7, field(1, field(5, field(8, b"\x01" * 2**19)))), "a field of 524288 bytes"),
    (lambda: field(7, field(5, field(1, b"\x01" * 4000)) * 5000), "more than 16777216 bytes besides its weights"),
    (
        lambda: field(7, field(1, b"") + field(11, field(2, field(1, field(2, field(1, b"") * 2000))))),
        "has 2000 dimensions; expected at most 64",
    ),
)
"""What makes a file, and part of the sentence that refuses it."""
