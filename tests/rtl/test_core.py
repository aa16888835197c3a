"""Cores as Amaranth components."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import hwexplore as hx
from hwexplore.errors import InputError
from hwexplore.pe import PE


def test_ports_are_those_of_the_description() -> None:
    pe = hx.PE.parse("mac(e4m3, int4, acc=exact(100), stages=3)")
    core = hx.rtl.build(pe)
    Fragment.get(core, platform=None)
    assert isinstance(core, wiring.Component)
    assert core.signature == wiring.Signature(
        {
            "weight": In(8),
            "activation": In(4),
            "enable": In(1),
            "clear": In(1),
            "accumulator": Out(pe.accumulator_bits),
        }
    )


def test_accumulators_round_to_nearest_even_only() -> None:
    with pytest.raises(InputError, match="accumulator fp16:toward_zero rounds toward_zero; hardware rounds nearest_ev"):
        hx.rtl.build(PE.parse("mac(e4m3, e4m3, acc=fp16:toward_zero)"))


def test_families_without_rtl_are_refused() -> None:
    other: Any = SimpleNamespace(family="macc")
    with pytest.raises(InputError, match="unknown PE family with RTL 'macc'; did you mean mac"):
        hx.rtl.build(other)
