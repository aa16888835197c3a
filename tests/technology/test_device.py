"""FPGA devices: multipliers in DSP blocks, memories in memory blocks, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.technology import Bill, Item
from hwexplore.technology.device import Multiplier, load, names

ZCU104, ECP5 = load("zcu104"), load("ecp5_85f")


def test_resources_are_those_of_the_data_sheets() -> None:
    assert names() == ["ecp5_85f", "zcu104"]
    assert ZCU104.resources == {"lut": 230400, "ff": 460800, "dsp": 1728, "bram36": 312, "uram": 96}
    assert ECP5.resources["dsp"] == 156


def test_every_figure_has_a_source() -> None:
    for device in (ZCU104, ECP5):
        texts = [device.sources["resources"], device.dsp_rule.source, device.lut_law.source, device.ff_source]
        texts += [block.source for block in device.memories.values()]
        assert all(len(text) > 10 for text in texts)


@pytest.mark.parametrize(
    ("wide", "narrow", "signed", "blocks"),
    # Yosys 0.70, synth_xilinx -family xcup, on a bare product of so many bits.
    [(8, 8, True, 1), (5, 4, True, 1), (4, 4, True, 0), (16, 16, True, 1), (27, 18, True, 1), (24, 18, False, 2)],
)
def test_dsp_blocks_of_a_multiplier(wide: int, narrow: int, signed: bool, blocks: int) -> None:
    multiplier = Multiplier(wide, narrow, signed)
    rule = ZCU104.dsp_rule
    assert (rule.blocks(multiplier) if rule.takes(multiplier) else 0) == blocks


def test_packing_puts_two_int8_or_four_int4_products_into_a_block() -> None:
    rule = ZCU104.dsp_rule
    for bits, count in ((8, 2), (5, 2), (4, 4), (3, 4), (9, 1)):
        products = Multiplier(bits, bits, signed=True, count=8, of_operands=True)
        assert rule.takes(products, packed=True)
        assert rule.blocks(products, packed=True) == 8 / count
    scale = Multiplier(8, 8, signed=False, count=8)
    assert rule.blocks(scale, packed=True) == 8


@pytest.mark.parametrize(
    ("size_bytes", "word_bits", "kind", "count"),
    [
        (4608, 72, "bram36", 1),
        (4608, 36, "bram36", 1),
        (4096, 1, "bram36", 1),
        (4609, 72, "bram36", 2),
        (36864, 72, "uram", 1),
        (36864, 144, "uram", 2),
        (4096, 144, "bram36", 2),
        (8 * 36864, 72, "uram", 8),
    ],
)
def test_memory_blocks_of_a_buffer(size_bytes: int, word_bits: int, kind: str, count: int) -> None:
    assert ZCU104.memories[kind].count(size_bytes, word_bits) == count


@given(size_bytes=st.integers(1, 1 << 24), word_bits=st.integers(1, 4096))
def test_memory_blocks_hold_the_buffer(size_bytes: int, word_bits: int) -> None:
    for block in ZCU104.memories.values():
        capacity = max(width * depth for width, depth in block.shapes)
        assert block.count(size_bytes, word_bits) * capacity >= size_bytes * 8


def test_a_buffer_takes_the_kind_of_block_of_which_it_needs_the_smaller_share() -> None:
    assert ZCU104.memory(1 << 20, 72)[0] == "uram"
    assert ZCU104.memory(1 << 10, 512)[0] == "bram36"
    assert ECP5.memory(2048, 32) == ("ebr", 1)


@pytest.mark.parametrize(("size_bytes", "word_bits"), [(0, 8), (-1, 8), (8, 0), (float("nan"), 8)])
def test_a_memory_of_no_size_is_refused(size_bytes: float, word_bits: int) -> None:
    with pytest.raises(InputError, match="both must be positive"):
        ZCU104.memory(size_bytes, word_bits)


def test_a_part_that_was_never_seen_costs_what_its_primitive_does() -> None:
    bill = Bill((Item("something new", "full_adder", 10, 0.5, "ten"), Item("x", "flip_flop", 7, 0.5, "seven")))
    price = ZCU104.price(bill)
    assert price["lut"].mid == pytest.approx(10 * ZCU104.lut_law.luts["full_adder"])
    assert price["lut"].low < price["lut"].mid < price["lut"].high
    assert price["ff"].mid == 7
    assert price["dsp"].mid == 0


def test_energy_is_refused() -> None:
    with pytest.raises(InputError, match="energy of hardware on zcu104 is not known"):
        ZCU104.energy_pj(Bill(()))


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(InputError, match="unknown FPGA device 'zcu102'; did you mean zcu104"):
        load("zcu102")
