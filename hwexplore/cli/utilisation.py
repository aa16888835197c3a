"""``hwexplore utilisation``: what an accelerator takes of an FPGA."""

from __future__ import annotations

from typing import Annotated

import typer

from hwexplore.accelerator.utilisation import utilisation as take
from hwexplore.cli.console import output, print_json, print_table

__all__ = ["utilisation"]


def utilisation(
    pe: Annotated[str, typer.Argument(metavar="PE", help='As in "mac(int8, int8, acc=int32)".')],
    rows: Annotated[int, typer.Option(help="Rows of the array.")],
    cols: Annotated[int, typer.Option(help="Columns of the array.")],
    sram_kib: Annotated[float, typer.Option(help="Buffer in KiB.")] = 256,
    vector_lanes: Annotated[int, typer.Option(help="Lanes of the vector unit, FP16.")] = 0,
    device: Annotated[str, typer.Option(help="FPGA: zcu104 or ecp5_85f.")] = "zcu104",
    dsp: Annotated[bool, typer.Option(help="Let multipliers go into DSP blocks.")] = True,
    packed: Annotated[bool, typer.Option(help="Several products with one operand in common per DSP block.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what an accelerator takes of an FPGA, by Yosys's counts; what does not fit is refused.

    Example: hwexplore utilisation "mac(int8, int8, acc=int32)" --rows 16 --cols 16 --vector-lanes 16
    """
    used = take(
        pe,
        device,
        rows=rows,
        cols=cols,
        sram_bytes=1024 * sram_kib,
        vector_lanes=vector_lanes,
        dsp=dsp,
        packed=packed,
    )
    table = used.to_frame()
    if json:
        print_json(table.to_dict("records"))
    else:
        counts = table.drop(columns=["resource", "percent"]).map("{:,.0f}".format)
        texts = counts.assign(percent=table["percent"].map("{:.1f}".format))
        texts.insert(0, "resource", table["resource"])
        title = f"{rows} x {cols} of {pe} on {used.device.name}; 90 % from low to high"
        print_table(title, list(texts.columns), texts.to_numpy().tolist())
        output.print("counts as Yosys makes them, not Vivado; no source for energy", highlight=False)
    used.check()
