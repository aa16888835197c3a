"""What accelerators take of FPGAs, and which do not fit."""

from __future__ import annotations

import pytest

from hwexplore.accelerator.utilisation import utilisation
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.technology.device import load

INT8 = "mac(int8, int8, acc=int32)"
BUFFER = 1 << 18


def test_counts_are_those_of_all_parts() -> None:
    use = utilisation(INT8, rows=16, cols=16, sram_bytes=BUFFER, vector_lanes=8)
    frame = use.to_frame().set_index("resource")
    assert list(frame.index) == list(load("zcu104").resources)
    assert frame.at["dsp", "PE array"] == 256
    assert frame.at["dsp", "vector unit"] == 8
    assert frame.at["ff", "PE array"] == 256 * (32 + 16)
    terms = frame[["PE array", "buffer", "vector unit"]].sum(axis=1)
    assert terms.to_numpy() == pytest.approx(frame["used"].to_numpy())
    assert frame["percent"].to_numpy() == pytest.approx((100 * frame["used"] / frame["available"]).to_numpy())
    assert frame.at["lut", "low"] < frame.at["lut", "used"] < frame.at["lut", "high"]
    use.check()


def test_the_buffer_is_as_wide_as_what_it_feeds() -> None:
    use = utilisation(INT8, rows=16, cols=16, sram_bytes=BUFFER).used["buffer"]
    (kind, blocks), *_ = use.items()
    assert (kind, blocks.mid) == ("uram", 8) or blocks.mid == load("zcu104").memories[kind].count(BUFFER, 256)


def test_without_dsp_blocks_multipliers_take_luts() -> None:
    with_dsp, without = (utilisation(INT8, rows=8, cols=8, sram_bytes=BUFFER, dsp=dsp) for dsp in (True, False))
    assert without.total("dsp").mid == 0
    assert with_dsp.total("lut").mid < without.total("lut").mid


@pytest.mark.parametrize(("pe", "per_block"), [(INT8, 2), ("mac(int4, int4, acc=int32)", 4)])
def test_packing_shares_dsp_blocks(pe: str, per_block: int) -> None:
    use = utilisation(pe, rows=16, cols=16, sram_bytes=BUFFER, packed=True)
    assert use.total("dsp").mid == 256 / per_block


def test_what_does_not_fit_is_refused_with_the_resource_and_the_excess() -> None:
    use = utilisation(INT8, rows=64, cols=64, sram_bytes=BUFFER)
    with pytest.raises(InputError, match=r"does not fit zcu104; .*4,096 dsp, 2,368 more than its 1,728"):
        use.check()
    with pytest.raises(InputError, match=r"\d+ bram36|\d+ uram"):
        utilisation(INT8, rows=4, cols=4, sram_bytes=1 << 26).check()


def test_another_device_has_other_memory() -> None:
    use = utilisation(PE.parse(INT8), load("ecp5_85f"), rows=4, cols=4, sram_bytes=4096)
    assert use.total("ebr").mid >= 2
    assert use.total("dsp").mid == 16


@pytest.mark.parametrize("sizes", [{"rows": 0, "cols": 4}, {"rows": 4, "cols": 1.5}, {"rows": 4, "cols": -1}])
def test_impossible_arrays_are_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be a whole number of at least 1"):
        utilisation(INT8, sram_bytes=BUFFER, **sizes)  # type: ignore[arg-type]
