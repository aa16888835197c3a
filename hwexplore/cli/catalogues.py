"""``list`` and ``show`` of formats, PEs, technologies and accelerators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from hwexplore import technology as technologies
from hwexplore.accelerator.presets import preset, presets
from hwexplore.cli.console import output, print_json, print_table
from hwexplore.cli.options import OperandsOption, TechnologyName
from hwexplore.formats import Format, Integer, Minifloat, catalog
from hwexplore.pe import PE
from hwexplore.pe.wrapper import wrapper_bill
from hwexplore.search import Space
from hwexplore.technology import Bill, Interval
from hwexplore.technology import device as devices
from hwexplore.technology.bill import overlapped

__all__ = ["APPS"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _app(noun: str) -> typer.Typer:
    return typer.Typer(help=f"List the {noun}, or show one.", no_args_is_help=True)


formats, pes, nodes, machines = (
    _app(noun) for noun in ("number formats", "PE families", "technologies", "published accelerators")
)
APPS = {"formats": formats, "pe": pes, "technology": nodes, "accelerators": machines}


def _print(rows: list[dict[str, Any]], title: str, json: bool) -> None:
    if json:
        print_json(rows)
    else:
        print_table(title, list(rows[0]), [[_text(value) for value in row.values()] for row in rows])


def _text(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, float) else "" if value is None else str(value)


@formats.command("list")
def list_formats(json: Json = False) -> None:
    """List the named formats. Example: hwexplore formats list"""
    rows = [
        {
            "name": name,
            "bits": format.bits,
            "element": str(format.element),
            "block": format.block,
            "packed": format.packed_bits(),
        }
        for name, format in catalog().items()
    ]
    _print(rows, "formats: stored bits per element, ideal and packed into 32-bit words", json)


@formats.command("show")
def show_format(name: Annotated[str, typer.Argument(help="As in e4m3, int4_g128, mxfp4.")], json: Json = False) -> None:
    """Show one format. Example: hwexplore formats show mxfp4"""
    format = Format.parse(name)
    element = format.element
    facts: dict[str, Any] = {"name": str(format), **format.to_dict()}
    facts |= {"bits": format.bits, "packed bits (32-bit words)": format.packed_bits()}
    if isinstance(element, Integer):
        facts |= {"element minimum": element.min_value, "element maximum": element.max_value}
    elif isinstance(element, Minifloat):
        facts |= {
            "element maximum": element.max,
            "element smallest normal": element.smallest_normal,
            "element smallest subnormal": element.smallest_subnormal,
        }
    _print_facts(facts, str(format), json)


@pes.command("list")
def list_pes(json: Json = False) -> None:
    """List the PE families, and the PEs of the default space. Example: hwexplore pe list"""
    families = [
        {
            "family": name,
            "options": ", ".join(family.options),
            "what it is": str(family.__doc__).split(".")[0].replace("`", ""),
        }
        for name, family in PE.families().items()
    ]
    members = [{"family": pe.family, "pe": str(pe)} for pe in Space.default().choices.values["pe"]]
    if json:
        print_json({"families": families, "default space": members})
        return
    _print(families, "PE families", json)
    _print(members, "PEs of the default space", json)


@pes.command("show")
def show_pe(
    name: Annotated[str, typer.Argument(metavar="PE", help='As in "mac(int8, int8, acc=int32)".')],
    technology: TechnologyName = "nangate45",
    period_ps: Annotated[
        float | None, typer.Option(help="Clock period to meet; without it, nothing is spent on speed.")
    ] = None,
    operands: OperandsOption = "gaussian",
    mode: Annotated[str | None, typer.Option(help="One of the modes of a multi-precision PE, as in 4x4.")] = None,
    json: Json = False,
) -> None:
    """Show what a PE costs, down to the last adder. Example: hwexplore pe show "mac(int4, int8, acc=int32)\""""
    pe = PE.parse(name) if mode is None else PE.parse(name).in_mode(mode)
    node = technologies.load(technology)
    cost = pe.cost(node, period_ps=period_ps, operands=operands)
    effort = node.effort(cost.bill, period_ps)
    around = node.price(wrapper_bill(pe))
    facts = {
        name: asdict(value) if isinstance(value, Interval) and json else value
        for name, value in vars(cost).items()
        if name != "bill"
    }
    lines = [
        {
            "part": item.part,
            "primitive": item.primitive,
            "count": item.count,
            "transitions/cycle": round(item.activity, 4),
            "area_um2": round(node.price(Bill((item,)), effort).area_um2, 2),
            "why": item.why,
        }
        for item in cost.bill
    ]
    path = [
        {"part": s.part, "primitive": s.primitive + " carry" * s.carry, "count": s.count}
        for s in overlapped(node.critical_path(cost.bill))
    ]
    m, n, k, cycles = pe.tile
    facts |= {
        "tile": f"{m} x {n} sums of {k} products in {cycles} cycles",
        "stream wrapper area_um2, apart": around.area_um2,
    }
    if json:
        print_json({"pe": str(pe), "technology": node.name, **facts, "bill": lines, "path": path})
        return
    _print_facts(facts, f"{pe} on {node.name}: 50 % [5 % .. 95 %]", json)
    _print(lines, "bill of hardware", json)
    _print(path, "critical path, after the clock-to-output delay", json)


@nodes.command("list")
def list_technologies(json: Json = False) -> None:
    """List the technologies. Example: hwexplore technology list"""
    loaded = [technologies.load(name) for name in technologies.names()]
    rows = [
        {
            "name": t.name,
            "nm": t.node_nm,
            "V": t.voltage,
            "C": t.temperature_c,
            "scaled from": t.scalings[0].base if t.scalings else None,
            "SRAM": t.sram_law.name,
            "SRAM scaled from": t.sram_law.scalings[0].base if t.sram_law.scalings else None,
            "description": t.description,
        }
        for t in loaded
    ]
    _print(rows, "technologies: supply of the logic, temperature of all leakage", json)


@nodes.command("show")
def show_technology(
    name: Annotated[str, typer.Argument(help="Process node, or FPGA: zcu104, ecp5_85f.")], json: Json = False
) -> None:
    """Show every coefficient of a technology with its source. Example: hwexplore technology show nangate45"""
    if name in devices.names():
        device = devices.load(name)
        title = f"{device.description}: counts of Yosys, not Vivado; energy is not known"
        _print([asdict(row) for row in technologies.device_coefficients(device)], title, json)
        return
    node = technologies.load(name)
    title = f"{node.description}: logic at {node.voltage:g} V, all leakage at {node.temperature_c:g} C"
    rows = [asdict(row) for row in technologies.coefficients(node)]
    if json:
        print_json([row | {"source": _written_out(row["source"], node.sources)} for row in rows])
        return
    _print(rows, title, json)
    for key, text in node.sources.items():
        output.print(f"{key}: {text}", markup=False, highlight=False, soft_wrap=True)
    for factor, sigma in node.spread.items():
        output.print(
            f"spread {factor}: log-normal, sigma {sigma:g}: {node.spread_sources[factor]}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _written_out(source: str, sources: Mapping[str, str]) -> str:
    """``source``, the name of one of ``sources`` at its start replaced by that."""
    key, colon, rest = source.partition(":")
    return sources.get(key, key) + colon + rest


@machines.command("list")
def list_accelerators(json: Json = False) -> None:
    """List the published accelerators. Example: hwexplore accelerators list"""
    rows = [
        {
            "name": machine.name,
            "description": machine.description,
            "node": machine.node,
            "computes in": ", ".join(machine.peak_ops_per_s),
            "highest op/s": max(machine.peak_ops_per_s.values()),
            "bandwidth_bytes_per_s": machine.bandwidth_bytes_per_s,
            "memory_bytes": machine.memory_bytes,
            "power_w": machine.power_w,
            "area_mm2": machine.area_mm2,
        }
        for machine in presets()
    ]
    _print(rows, "accelerators: dense peaks of matrix products, two operations per MAC", json)


@machines.command("show")
def show_accelerator(name: str, json: Json = False) -> None:
    """Show every figure of an accelerator with its source. Example: hwexplore accelerators show h100"""
    machine = preset(name)
    _print([asdict(figure) for figure in machine.figures()], f"{machine.name}: {machine.description}", json)


def _print_facts(facts: dict[str, Any], title: str, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_table(title, ["", "value"], [[name, _text(value)] for name, value in facts.items()])
