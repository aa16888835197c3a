"""Yosys proves the multipliers of small formats equal to tables of the products."""

from __future__ import annotations

from pathlib import Path

import pytest
from proof import PROVEN, prove

from hwexplore.formats import Format, Integer, Minifloat
from hwexplore.pe.operand import Operand
from hwexplore.rtl.fixed_multiplier import FixedMultiplier

INT4 = [*range(8), *range(-8, 0)]
# OCP Microscaling Formats 1.0, table 5, in halves: the smallest step of E2M1.
E2M1 = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]


def table(values: list[int], bits: int) -> str:
    cases = (
        f"      8'd{w << 4 | a}: product = {'-' if x * y < 0 else ''}{bits}'sd{abs(x * y)};"
        for w, x in enumerate(values)
        for a, y in enumerate(values)
    )
    return "\n".join(
        [
            f"module definition(input [3:0] weight, input [3:0] activation, output reg [{bits - 1}:0] product);",
            "  always @* begin",
            "    case ({weight, activation})",
            *cases,
            "    endcase",
            "  end",
            "endmodule",
        ]
    )


def proof(name: str, values: list[int], folder: Path) -> str:
    format = Format.parse(name)
    assert isinstance(format, Integer | Minifloat)
    multiplier = FixedMultiplier(weight=Operand(format), activation=Operand(format))
    return prove(table(values, len(multiplier.product)), multiplier, folder)


@pytest.mark.parametrize(("name", "values"), [("int4", INT4), ("e2m1", E2M1)])
def test_products_are_those_of_the_table(name: str, values: list[int], tmp_path: Path) -> None:
    assert PROVEN in proof(name, values, tmp_path)


def test_one_wrong_product_has_no_proof(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="proof did fail"):
        proof("e2m1", [*E2M1[:-1], -11], tmp_path)
