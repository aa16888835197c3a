"""Synthesis of PEs: RTL to mapped netlists with Yosys and ABC, over the recipes and delay targets of a calibration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hwexplore.calibration.cells import Cell, Cells, Table
from hwexplore.pe import PE
from hwexplore.rtl.verilog import module_name, pe_verilog, yosys

__all__ = ["RECIPES", "SCRIPTS", "Mapping", "elaborate", "full_adder", "lean_liberty", "map_to_cells"]

RECIPES = {
    "+".join((*names, *(["full adders"] if adders else []))) or "default": (flags, adders)
    for (names, flags), adders in product(
        (
            ((), ""),
            (("booth",), "-booth"),
            (("noalumacc",), "-noalumacc"),
            (("booth", "noalumacc"), "-booth -noalumacc"),
        ),
        (False, True),
    )
}
"""Flags of Yosys's ``synth`` and whether full adders are extracted and mapped to cells, by the recipe's name."""

RESTRUCTURED = ("noalumacc", "booth+noalumacc")
"""Recipes whose logic is also restructured for depth (ABC's ``&synch2``), for netlists that have to be fast."""

SCRIPTS = {
    "small": "strash; dc2; dch -f; amap -m; topo; buffer -c -N 24; dnsize",
    "sketch": "strash; amap -m; topo; buffer -c -N 24",
    "sized": "strash; amap -m; topo; buffer -c; upsize -D {D}; dnsize -D {D}",
    "fast": "strash; map -B 0.9 -D {D}; topo; buffer -c; upsize -D {D}; dnsize -D {D}",
}
"""ABC: the smallest cells; a quick look at how small; those, sized for a delay; mapped and sized for a delay."""

TIMEOUT_S = 1800.0
"""ABC's SAT sweeping can go on for hours on a circuit that it does not like."""

WIDEST, DRIVES = 4, 4


@dataclass(frozen=True)
class Mapping:
    """One netlist to make: from a recipe's logic, restructured for depth or not, by a script of `SCRIPTS`.

    ``delay_ps`` is what ABC works towards.
    """

    recipe: str
    script: str
    delay_ps: float = 0.0
    restructured: bool = False

    def __str__(self) -> str:
        return ", ".join(
            [
                self.recipe,
                *(["restructured"] if self.restructured else []),
                self.script + (f" {self.delay_ps:.0f} ps" if "{D}" in SCRIPTS[self.script] else ""),
            ]
        )

    @property
    def file(self) -> str:
        """Name of its netlist."""
        return re.sub(r"\W+", "_", str(self)) + ".json"


def elaborate(pe: PE, folder: Path, quick: bool = False) -> None:
    """Write gate-level RTLIL of ``pe`` for each recipe into ``folder``: the part of synthesis that knows no node.

    ``quick``: without ABC, which sweeps the gates by SAT and restructures them, and can take hours.
    """
    (folder / "pe.v").write_text(pe_verilog(pe), "utf-8")
    commands, noabc = ["read_verilog pe.v", "design -save rtl"], " -noabc" if quick else ""
    for recipe, (flags, adders) in RECIPES.items():
        if adders:
            continue
        commands += [
            "design -load rtl",
            f"synth -top {module_name(pe)} -flatten {flags}{noabc}",
            f"write_rtlil {_il(recipe)}",
        ]
        commands += ["design -save gates", "extract_fa -fa", "opt_clean", f"write_rtlil {_il(_with_adders(recipe))}"]
        if recipe in RESTRUCTURED and not quick:
            script = "strash;&get,-n;&synch2;&put;map"
            commands += ["design -load gates", f"abc -g AND -script +{script}", "opt_clean"]
            commands.append(f"write_rtlil {_il(recipe, restructured=True)}")
    yosys(commands, folder, TIMEOUT_S)


def _with_adders(recipe: str) -> str:
    return next(name for name, (flags, adders) in RECIPES.items() if adders and flags == RECIPES[recipe][0])


def _il(recipe: str, restructured: bool = False) -> str:
    return re.sub(r"\W+", "_", recipe) + ("_restructured" if restructured else "") + ".il"


def map_to_cells(source: Path, mappings: Iterable[Mapping], library: Path, adders: Path | None, folder: Path) -> None:
    """Write a netlist (JSON) for each mapping into ``folder``, from what `elaborate` left in ``source``.

    ``library`` is the `lean_liberty` of the cells; ``adders`` the techmap of its full adder, if it has one.
    """
    commands = []
    for mapping in mappings:
        script = SCRIPTS[mapping.script].replace("{D}", f"{mapping.delay_ps:.0f}").replace(" ", ",")
        commands += [
            "design -reset",
            f"read_rtlil {source / _il(mapping.recipe, mapping.restructured)}",
            *([f"techmap -map {adders}", "simplemap"] if RECIPES[mapping.recipe][1] else []),
            f"dfflibmap -liberty {library}",
            f"abc -liberty {library} -script +{script}",
            "opt_clean -purge",
            f"write_json {mapping.file}",
        ]
    yosys(commands, folder, TIMEOUT_S)


def full_adder(cells: Cells) -> str | None:
    """Yosys's techmap of full adders to the smallest full adder of a library, whose outputs may be inverted, if any."""
    total = tuple((a ^ b ^ c) == 1 for a, b, c in product((0, 1), repeat=3))
    carry = tuple(a + b + c >= 2 for a, b, c in product((0, 1), repeat=3))

    def outputs(cell: Cell) -> Iterator[tuple[str, str, bool]]:
        for wanted, port in ((total, "Y"), (carry, "X")):
            for name, truth in zip(cell.outputs, cell.truth, strict=True):
                if truth in (wanted, tuple(not value for value in wanted)):
                    yield port, name, truth != wanted

    adders = [
        cell
        for cell in cells.cells.values()
        if not cell.flip_flop and len(cell.inputs) == 3 and len(list(outputs(cell))) == 2
    ]
    if not adders:
        return None
    cell = min(adders, key=lambda adder: adder.area_um2)
    connections = [f".{pin}({port}[i])" for pin, port in zip(cell.inputs, "ABC", strict=True)]
    assigns = []
    for port, name, inverted in outputs(cell):
        connections.append(f".{name}({port}_cell[i])")
        assigns.append(f"assign {port} = {'~' if inverted else ''}{port}_cell;")
    return (
        '(* techmap_celltype = "$fa" *)\n'
        "module full_adders #(parameter WIDTH = 1) (input [WIDTH-1:0] A, B, C, output [WIDTH-1:0] X, Y);\n"
        f"wire [WIDTH-1:0] X_cell, Y_cell; {' '.join(assigns)}\n"
        "genvar i; generate for (i = 0; i < WIDTH; i = i + 1)\n"
        f"{cell.name} cell ({', '.join(connections)});\nendgenerate\nendmodule\n"
    )


def lean_liberty(cells: Cells) -> str:
    """The Liberty text of ``cells`` in ps and fF: what synthesis reads of a library, and nothing of its power.

    Every input has the wire to it added to its capacitance. Arcs between two pins become one. The smallest flip-flop is
    the only one and has clock and data alone: `read_netlist` ties its idle pins.
    """
    templates: dict[tuple[int, int], str] = {}
    wire_ff = cells.wire_ff(2) / 2

    def table(kind: str, tables: list[Table]) -> str:
        first = tables[0]
        template = templates.setdefault((len(first.slews), len(first.loads)), f"t{len(first.slews)}x{len(first.loads)}")
        rows = (
            ", ".join(f"{max(other(slew, load) for other in tables):.6g}" for load in first.loads)
            for slew in first.slews
        )
        values = ", ".join(f'"{row}"' for row in rows)
        index_1, index_2 = (", ".join(f"{point:.6g}" for point in axis) for axis in (first.slews, first.loads))
        return f'{kind} ({template}) {{ index_1 ("{index_1}"); index_2 ("{index_2}"); values ({values}); }}'

    def timing(cell: Cell, source: int, output: int) -> str:
        arcs = [arc for arc in cell.arcs if (arc.input, arc.output) == (source, output)]
        if not arcs:
            return ""
        sense = "non_unate" if len(arcs) > 1 else "negative_unate" if arcs[0].inverting else "positive_unate"
        kind = "rising_edge" if cell.flip_flop else "combinational"
        delays, transitions = [arc.delay for arc in arcs], [arc.transition for arc in arcs]
        tables = [
            table(name, [both[edge] for both in of_arcs])
            for name, of_arcs, edge in (
                ("cell_rise", delays, 0),
                ("cell_fall", delays, 1),
                ("rise_transition", transitions, 0),
                ("fall_transition", transitions, 1),
            )
        ]
        return (
            f'timing () {{ related_pin : "{cell.inputs[source]}"; timing_sense : {sense}; timing_type : {kind};\n'
            + "\n".join(tables)
            + " }"
        )

    bodies = []
    for cell in (*_gates(cells), cells.smallest_flip_flop):
        state = cell.flip_flop
        pins = range(len(cell.inputs)) if state is None else (state.clock, state.data)
        lines = [f"cell ({cell.name}) {{ area : {cell.area_um2:.6g};"]
        if state:
            clock, data = cell.inputs[state.clock], cell.inputs[state.data]
            lines.append(f'ff (IQ, IQN) {{ clocked_on : "{clock}"; next_state : "{data}"; }}')
        for number in pins:
            mark = "clock : true; " if state and number == state.clock else ""
            lines.append(
                f"pin ({cell.inputs[number]}) {{ direction : input; {mark}"
                f"capacitance : {cell.input_ff[number] + wire_ff:.6g}; }}"
            )
        for number, name in enumerate(cell.outputs):
            function = ("IQN" if state.inverted[number] else "IQ") if state else _function(cell, number)
            lines.append(f'pin ({name}) {{ direction : output; function : "{function}";')
            lines += [timing(cell, source, number) for source in pins]
            lines.append("}")
        bodies.append("\n".join([*lines, "}"]))
    header = [
        'library (lean) { delay_model : table_lookup; time_unit : "1ps"; capacitive_load_unit (1, ff);',
        'voltage_unit : "1V"; current_unit : "1mA"; pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW";',
        *(
            f"lu_table_template ({name}) {{ variable_1 : input_net_transition; "
            "variable_2 : total_output_net_capacitance; "
            f'index_1 ("{_ramp(slews)}"); index_2 ("{_ramp(loads)}"); }}'
            for (slews, loads), name in templates.items()
        ),
    ]
    return "\n".join([*header, *bodies, "}"]) + "\n"


def _gates(cells: Cells) -> Iterator[Cell]:
    """The smallest `DRIVES` cells of each function of up to `WIDEST` inputs: more cost time and win little."""
    functions: dict[tuple[tuple[bool, ...], ...], list[Cell]] = {}
    for cell in cells.cells.values():
        if not cell.flip_flop and len(cell.inputs) <= WIDEST:
            functions.setdefault(cell.truth, []).append(cell)
    for same in functions.values():
        yield from sorted(same, key=lambda cell: cell.area_um2)[:DRIVES]


def _ramp(count: int) -> str:
    return ", ".join(str(point + 1) for point in range(count))


def _function(cell: Cell, output: int) -> str:
    """The function of an output as a sum of products, of the ones or of the zeros."""
    truth = cell.truth[output]
    wanted = sum(truth) <= len(truth) // 2
    terms = [
        "*".join(pin if bit else f"!{pin}" for pin, bit in zip(cell.inputs, row, strict=True))
        for row, value in zip(product((False, True), repeat=len(cell.inputs)), truth, strict=True)
        if value == wanted
    ]
    text = "+".join(f"({term})" for term in terms)
    return text if wanted else f"!({text})"
