"""Boolean expressions of the Liberty format: `function` of an output, `when` of an arc."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hwexplore.errors import InputError

__all__ = ["evaluate"]

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[!'^&*|+()])\s*")


def evaluate(expression: str, pins: Mapping[str, bool]) -> bool:
    """The value of an expression for given pin values.

    Operators from tight to loose: `!a` and `a'` (not), `^` (exclusive or), `&`, `*` or a blank (and), `|` or `+` (or).
    A malformed expression or a pin that is not given raises InputError.
    """
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != "".join(expression.split()):
        raise InputError(f"Boolean expression {expression!r} has a character that Liberty does not know")
    tokens.append("")
    tokens.reverse()

    def either() -> bool:
        value = both()
        while tokens[-1] in ("|", "+"):
            tokens.pop()
            value |= both()
        return value

    def both() -> bool:
        value = different()
        while tokens[-1] not in ("", ")", "|", "+"):
            if tokens[-1] in ("&", "*"):
                tokens.pop()
            value &= different()
        return value

    def different() -> bool:
        value = literal()
        while tokens[-1] == "^":
            tokens.pop()
            value ^= literal()
        return value

    def literal() -> bool:
        token = tokens.pop() if tokens[-1] else ""
        if token == "!":
            value = not literal()
        elif token == "(":
            value = either()
            if tokens[-1] != ")":
                raise InputError(f"Boolean expression {expression!r} has an unclosed parenthesis")
            tokens.pop()
        elif token in ("0", "1"):
            value = token == "1"
        elif token in pins:
            value = pins[token]
        else:
            raise InputError(f"Boolean expression {expression!r}: {token!r} is not one of the pins {sorted(pins)}")
        while tokens[-1] == "'":
            tokens.pop()
            value = not value
        return value

    value = either()
    if tokens[-1]:
        raise InputError(f"Boolean expression {expression!r} has an unmatched parenthesis")
    return value
