"""From a bitstream to a core that multiplies, by pynq."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pynq import DefaultIP, Overlay, allocate

from hwexplore.fpga.accessors import Accessors
from hwexplore.fpga.driver.gemm import DriverError, Gemm

__all__ = ["GemmIP", "load"]

TOP = "hwexplore_gemm"
DMA = "xilinx.com:ip:axi_dma:"


class GemmIP(DefaultIP):
    """The registers of a core, for pynq; `load` makes a `Gemm` of them."""

    bindto = (
        f"xilinx.com:module_ref:{TOP}:1.0",
        f"xilinx.com:user:{TOP}:1.0",
        f"user.org:user:{TOP}:1.0",
    )

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description=description)


def load(bitfile: str | Path, *, device: Any = None, timeout_s: float = 10.0) -> Gemm:
    """Load ``NAME.bit``, with ``NAME.hwh`` and ``NAME.json``, the table of its registers, beside it.

    DriverError if the `.hwh` is not that of such an overlay; InputError if another build is in the bitstream.
    """
    bitfile = Path(bitfile).resolve()
    files = {suffix: bitfile.with_suffix(suffix) for suffix in (".bit", ".hwh", ".json")}
    for path in files.values():
        if not path.is_file():
            raise DriverError(f"{path} is missing; .bit, .hwh and .json of one build belong side by side")
    table = json.loads(files[".json"].read_text("utf-8"))
    overlay = Overlay(str(bitfile), device=device)
    core = _only(overlay.ip_dict, "core", lambda type_: type_ in GemmIP.bindto)
    dma = _only(overlay.ip_dict, "AXI DMA", lambda type_: type_.startswith(DMA))
    _check_widths(overlay.ip_dict[dma]["parameters"], table)
    ip, channels = (_named(overlay, name) for name in (core, dma))
    return Gemm(
        table,
        Accessors(table, ip.read, ip.write),
        channels,
        lambda size: allocate((size,), "u1", target=device),
        timeout_s,
    )


def _only(ip_dict: Mapping[str, Any], what: str, fits: Any) -> str:
    names = [name for name, ip in ip_dict.items() if fits(ip["type"])]
    if len(names) != 1:
        types = ", ".join(sorted(ip["type"] for ip in ip_dict.values())) or "nothing"
        raise DriverError(f"the .hwh has {len(names)} of {what} where one is needed; it has {types}")
    return names[0]


def _check_widths(parameters: Mapping[str, str], table: Mapping[str, Any]) -> None:
    resets = {register["name"]: register["reset"] for register in table["registers"]}
    found = {name.lower(): value for name, value in parameters.items()}
    for parameter, register in (
        ("c_m_axis_mm2s_tdata_width", "words_bits"),
        ("c_s_axis_s2mm_tdata_width", "results_bits"),
    ):
        if int(found[parameter]) != resets[register]:
            raise DriverError(
                f"{parameter} in the .hwh is {found[parameter]} and {register} of the build is {resets[register]}; "
                "use the .hwh and the table of the same build"
            )


def _named(overlay: Any, path: str) -> Any:
    for name in path.split("/"):
        overlay = getattr(overlay, name)
    return overlay
