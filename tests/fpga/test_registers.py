"""The table of registers, and what is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwexplore.errors import InputError
from hwexplore.fpga import registers
from hwexplore.fpga.registers import ACCESS, ADDRESS_BITS, REGISTERS, as_json, from_json, hwh, text_number, with_resets


def test_every_register_has_a_place_of_its_own() -> None:
    words = [word for register in REGISTERS for word in register.words]
    assert len(words) == len(set(words))
    assert max(words) < 1 << ADDRESS_BITS - 2
    assert len({register.name for register in REGISTERS}) == len(REGISTERS)
    for register in REGISTERS:
        assert register.offset % 4 == 0
        assert register.access in ACCESS
        assert register.meaning
        assert sum(field.bits for field in register.fields) in (0, register.bits)


def test_the_table_survives_json() -> None:
    made = with_resets({"pe": text_number("mac(int8, int8, acc=int32)", "pe"), "rows": 4})
    assert from_json(json.loads(json.dumps(as_json(made)))) == made


def test_resets() -> None:
    made = {register.name: register.reset for register in with_resets({"rows": 4})}
    assert made["rows"] == 4
    assert made["id"].to_bytes(4, "big") == b"hwxG"
    with pytest.raises(InputError, match=r"^rows = 4294967296 does not fit into a register of 32 bits$"):
        with_resets({"rows": 1 << 32})
    with pytest.raises(InputError, match=r"^output 'x+' has 33 characters; its register has room for 32$"):
        text_number("x" * 33, "output")


def test_hwh() -> None:
    """What PYNQ's parser takes from each register, as it looks for it: a word at its offset, with its fields."""
    element = hwh(with_resets({"build": 0x1234_5678_9ABC_DEF0}))
    found = {}
    for register in element.findall("./REGISTER[@NAME]"):
        value = {one.get("NAME"): one.get("VALUE") for one in register.findall("./PROPERTY")}
        fields = {
            field.get("NAME"): {one.get("NAME"): one.get("VALUE") for one in field.findall("./PROPERTY")}
            for field in register.findall("./FIELDS/FIELD/[@NAME]")
        }
        found[register.get("NAME")] = value, fields
    assert len(found) == sum(len(register.words) for register in REGISTERS)
    assert [int(value["ADDRESS_OFFSET"]) for value, _ in found.values()] == sorted(
        4 * word for register in REGISTERS for word in register.words
    )
    assert found["build_0"][0]["RESET_VALUE"] == "0x9abcdef0"
    assert found["build_1"][0]["ADDRESS_OFFSET"] == "12"
    assert found["m"][0]["SIZE"] == "16"
    assert found["m"][0]["ACCESS"] == "read-write"
    done = found["status"][1]["done"]
    assert (done["BIT_OFFSET"], done["BIT_WIDTH"], done["ACCESS"]) == ("1", "1", "read-only")


def test_the_documents_have_the_table() -> None:
    assert registers.markdown() in Path(__file__).parents[2].joinpath("docs", "fpga.md").read_text("utf-8")
