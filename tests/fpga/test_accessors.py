"""Registers by name, on a memory of words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwexplore.errors import InputError
from hwexplore.fpga.accessors import Accessors
from hwexplore.fpga.registers import as_json, text_number, with_resets

PE = "dot(mxfp8, mxfp8, lanes=8)"


@pytest.fixture
def words() -> dict[int, int]:
    """What a core shows, by offset."""
    made = with_resets({"pe": text_number(PE, "pe"), "build": 0xFEDC_BA98_7654_3210})
    return {
        4 * word: register.reset >> 32 * number & 0xFFFF_FFFF
        for register in made
        for number, word in enumerate(register.words)
    }


@pytest.fixture
def accessors(words: dict[int, int]) -> Accessors:
    made = with_resets({"pe": text_number(PE, "pe"), "build": 0xFEDC_BA98_7654_3210})
    return Accessors({"registers": as_json(made)}, words.__getitem__, words.__setitem__)


def test_reads(accessors: Accessors, words: dict[int, int]) -> None:
    accessors.check()
    assert accessors.get("build") == 0xFEDC_BA98_7654_3210
    assert accessors.text("pe") == PE
    assert accessors.text("output") == ""
    words[0x54] = 0b001010
    assert accessors.fields("status") == {
        "busy": 0,
        "done": 1,
        "size_error": 0,
        "short_error": 1,
        "long_error": 0,
        "keep_error": 0,
    }


def test_writes(accessors: Accessors, words: dict[int, int]) -> None:
    accessors.set("m", 65535)
    assert words[0x40] == 65535
    accessors.pulse("control", "start")
    assert words[0x50] == 1
    accessors.pulse("control", "reset")
    assert words[0x50] == 2


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda a: a.set("m", 65536), r"^m = 65536 must be from 0 to 65535$"),
        (lambda a: a.set("m", -1), r"^m = -1 must be"),
        (lambda a: a.set("rows", 1), r"^register 'rows' is a constant; settings can be written$"),
        (lambda a: a.get("row"), r"^unknown register 'row'; did you mean rows"),
        (lambda a: a.pulse("control", "stop"), r"^unknown field of control 'stop'"),
    ],
)
def test_bad_input(act: Callable[[Accessors], object], sentence: str, accessors: Accessors) -> None:
    with pytest.raises(InputError, match=sentence):
        act(accessors)


@pytest.mark.parametrize(("offset", "name"), [(0x0, "id"), (0x4, "version"), (0xC, "build")])
def test_another_core(offset: int, name: str, accessors: Accessors, words: dict[int, int]) -> None:
    words[offset] ^= 1
    with pytest.raises(InputError, match=rf"^{name} of the core is 0x.* load the bitstream and the table of the same"):
        accessors.check()
