"""The JSON Schema of space files, by which editors complete and check them."""

from __future__ import annotations

from typing import Any

from hwexplore import technology
from hwexplore.accelerator import PARAMETERS
from hwexplore.accelerator.cycles import DATAFLOWS
from hwexplore.accelerator.designs import COUNTS, MAX_NUMBER
from hwexplore.pe import PE
from hwexplore.search.expressions import LONGEST
from hwexplore.search.space import Space

__all__ = ["space_schema"]

Schema = dict[str, Any]


def space_schema() -> Schema:
    """The schema (draft 7) of the TOML files that `Space.load` reads.

    It covers names, types and single values; what expressions say and whether a PE or a policy can be parsed is checked
    on reading alone.
    """
    constraints = {
        "description": "conditions over parameters and metrics, such as 'rows * cols <= 4096' or 'area_mm2 < 50'",
        "anyOf": [{"$ref": "#/definitions/expression"}, _list({"$ref": "#/definitions/expression"})],
    }
    definitions = {
        "expression": {"type": "string", "minLength": 1, "maxLength": LONGEST},
        "equals": {
            "type": "object",
            "description": "follows from other parameters, as in { equals = '4 * rows' }",
            "properties": {"equals": {"$ref": "#/definitions/expression"}},
            "required": ["equals"],
            "additionalProperties": False,
        },
        **{name: {"anyOf": [_value(name), *_ranges(name)]} for name in PARAMETERS},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "design space of hwexplore",
        "description": "values of each parameter; those left out keep the values of the default space",
        "type": "object",
        "properties": {**{name: _parameter(name) for name in PARAMETERS}, "constraints": constraints},
        "additionalProperties": False,
        "definitions": definitions,
    }


def _parameter(name: str) -> Schema:
    entry = {"$ref": f"#/definitions/{name}"}
    values = {**_list(entry), "minItems": 1, "uniqueItems": True}
    return {"description": PARAMETERS[name], "anyOf": [entry, values, {"$ref": "#/definitions/equals"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _value(name: str) -> Schema:
    known = [str(value) for value in Space.default().choices.values[name]]
    match name:
        case "pe":
            family = "|".join(PE.families())
            return {"type": "string", "anyOf": [{"enum": known}, {"pattern": rf"^\s*({family})\s*\(.*\)\s*$"}]}
        case "policy":
            return {"type": "string", "anyOf": [{"enum": known}, {"pattern": "/"}]}
        case "dataflow":
            return {"enum": list(DATAFLOWS)}
        case "dram":
            return {"enum": sorted(technology.load("nangate45").drams)}
        case "clock_mhz":
            return {"anyOf": [_number(name), {"const": "max"}]}
    return _number(name)


def _number(name: str) -> Schema:
    return {
        "type": "integer" if name in COUNTS else "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": MAX_NUMBER,
    }


def _ranges(name: str) -> list[Schema]:
    if name in ("pe", "policy", "dataflow", "dram"):
        return []
    factor = {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": MAX_NUMBER}
    kinds = {"factor": ("times factor", factor), "step": ("plus step", _number(name))}
    return [
        {
            "type": "object",
            "description": f"both ends included, each value the one before {change}",
            "properties": {"from": _number(name), "to": _number(name), key: kind},
            "required": ["from", "to", key],
            "additionalProperties": False,
        }
        for key, (change, kind) in kinds.items()
    ]
