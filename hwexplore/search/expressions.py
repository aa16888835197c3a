"""Expressions over the parameters and metrics of designs, such as ``rows * cols <= 4096``."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS, PARAMETERS
from hwexplore.accelerator.designs import NUMERIC, checked
from hwexplore.errors import InputError, unknown

__all__ = ["EITHER", "KINDS", "LONGEST", "NUMBER", "TEXT", "TRUTH", "Expression"]

LONGEST = 10_000
"""Most characters of an expression."""
LONGEST_QUOTE = 100
"""Most characters that an error quotes."""
DEEPEST = 100
"""Most operations inside each other."""
NUMBER, TEXT, TRUTH, EITHER = "a number", "a text", "a condition", "a number or a text"
KINDS = {
    **dict.fromkeys(METRICS, NUMBER),
    **{name: NUMBER if name in NUMERIC else TEXT for name in PARAMETERS},
    "clock_mhz": EITHER,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "log2": np.log2,
    "sqrt": np.sqrt,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
}
GRAMMAR = (
    "numbers, texts in quotes, names, + - * / // % **, comparisons, in, and, or, not, x if condition else y, "
    + ", ".join(FUNCTIONS)
)


@dataclass(frozen=True)
class Expression:
    """A formula over names of parameters and metrics, in the notation of Python; ``text`` is its canonical spelling.

    ``kind`` says what it is worth: a number, a text, a condition, or (of the clock, which may be "max") a number or a
    text. Arithmetic is that of float64. PEs and policies in quotes are read as such, so that their spelling does not
    matter.
    """

    text: str
    kind: str = field(compare=False)
    tree: ast.expr = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, role: str, names: Collection[str] = KINDS) -> Expression:
        """From text; ``names`` are those it may use. InputError says what is wrong where, after ``role``."""
        text = " ".join(text.split())
        if len(text) > LONGEST:
            raise InputError(f"{role} of {len(text)} characters; at most {LONGEST} are read")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                tree = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise InputError(f"{role} {_short(text)}, column {error.offset or 1}: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError, Warning) as error:
            raise InputError(f"{role} {_short(text)} cannot be read: {error or 'it is nested too deeply'}") from None
        kind = _Reader(text, role, names).kind(tree, 0)
        return cls(ast.unparse(tree), kind, tree)

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters and metrics it names, in alphabetical order."""
        return tuple(sorted({node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)} & set(KINDS)))

    def literals(self, name: str) -> tuple[str, ...]:
        """The texts in quotes that it compares with the parameter ``name``."""
        texts = []
        for compared in ast.walk(self.tree):
            parts = list(ast.walk(compared)) if isinstance(compared, ast.Compare) else []
            if any(isinstance(part, ast.Name) and part.id == name for part in parts):
                texts += [str(part.value) for part in parts if isinstance(part, ast.Constant)]
        return tuple(texts)

    def __call__(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """Its value where the names have the values ``columns``, which broadcast; InputError for order among texts."""
        try:
            with np.errstate(all="ignore"):
                return _value(self.tree, columns)
        except TypeError:
            raise InputError(f"{self.text!r} needs numbers, but gets texts such as 'max', too") from None


@dataclass(frozen=True)
class _Reader:
    """Checks a syntax tree against the grammar, and rewrites the PEs and policies in it as they are spelled here."""

    text: str
    role: str
    names: Collection[str]

    def kind(self, node: ast.expr, depth: int) -> str:
        """What ``node`` is worth; InputError where it is not of the grammar."""
        if depth > DEEPEST:
            raise InputError(f"{self.role} {_short(self.text)} has more than {DEEPEST} operations inside each other")
        match node:
            case ast.Name(id=name):
                if name not in self.names:
                    self._fail(node, str(unknown("parameter or metric", name, self.names)))
                return KINDS[name]
            case ast.Constant(value=str()):
                return TEXT
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if abs(number) > 1e300:
                    self._fail(node, "numbers end at 1e300")
                return NUMBER
            case ast.BoolOp(values=values):
                return self._all(values, TRUTH, TRUTH, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._all([operand], TRUTH, TRUTH, depth)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._all([operand], NUMBER, NUMBER, depth)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return self._all([left, right], NUMBER, NUMBER, depth)
            case ast.Compare(left=left, ops=ops, comparators=others):
                for first, comparison, second in zip([left, *others], ops, others, strict=False):
                    self._comparison(first, comparison, second, depth)
                return TRUTH
            case ast.IfExp(test=test, body=body, orelse=other):
                self._all([test], TRUTH, TRUTH, depth)
                return self._alike([body, other], depth, mixed=True)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                if (len(arguments) > 1) != (name in ("min", "max")) or not arguments:
                    self._fail(node, f"{name} takes {'two or more numbers' if name in ('min', 'max') else 'a number'}")
                return self._all(arguments, NUMBER, NUMBER, depth)
        self._fail(node, f"not part of the grammar: {GRAMMAR}")

    def _all(self, nodes: list[ast.expr], wanted: str, result: str, depth: int) -> str:
        for node in nodes:
            kind = self.kind(node, depth + 1)
            if kind != wanted and not (kind == EITHER and wanted == NUMBER):
                self._fail(node, f"this is {kind}; expected {wanted}")
        return result

    def _alike(self, nodes: list[ast.expr], depth: int, mixed: bool = False) -> str:
        kinds = [self.kind(node, depth + 1) for node in nodes]
        for node, kind in zip(nodes, kinds, strict=True):
            if {kind, kinds[0]} not in ({kind}, {EITHER, NUMBER}, {EITHER, TEXT}, *([{NUMBER, TEXT}] if mixed else [])):
                self._fail(node, f"this is {kind}; expected {kinds[0]}")
        return kinds[0] if len(set(kinds)) == 1 else EITHER

    def _comparison(self, first: ast.expr, op: ast.cmpop, second: ast.expr, depth: int) -> None:
        if type(op) in ORDER:
            self._all([first, second], NUMBER, TRUTH, depth)
            return
        members = [second]
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(second, (ast.Tuple, ast.List)) or not second.elts:
                self._fail(second, "'in' takes values in parentheses, as in dram in ('hbm2', 'hbm3')")
            members = second.elts
        elif not isinstance(op, (ast.Eq, ast.NotEq)):
            self._fail(second, f"not part of the grammar: {GRAMMAR}")
        for one, other in [(first, member) for member in members] + [(member, first) for member in members]:
            if isinstance(one, ast.Name) and isinstance(other, ast.Constant) and KINDS.get(one.id) == TEXT:
                self._spell(one.id, other)
        self._alike([first, *members], depth)

    def _spell(self, name: str, literal: ast.Constant) -> None:
        if isinstance(literal.value, str):
            try:
                literal.value = str(checked(name, literal.value))
            except InputError as error:
                self._fail(literal, str(error))

    def _fail(self, node: ast.expr, why: str) -> NoReturn:
        place = ast.get_source_segment(self.text, node) or self.text
        where = f"at {_short(place)} in column {node.col_offset + 1}"
        raise InputError(f"{self.role} {_short(self.text)}, {where}: {why}")


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 3]}...")


def _value(node: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Any:
    """The value of a ``node`` that `_Reader` has passed."""

    def value(inner: ast.expr) -> Any:
        return _value(inner, columns)

    match node:
        case ast.Name(id=name):
            return columns[name]
        case ast.Constant(value=constant):
            return constant if isinstance(constant, str) else float(constant)  # type: ignore[arg-type]
        case ast.BoolOp(op=ast.And(), values=values):
            return reduce(np.logical_and, map(value, values))
        case ast.BoolOp(values=values):
            return reduce(np.logical_or, map(value, values))
        case ast.UnaryOp(op=op, operand=operand):
            inner = value(operand)
            return np.logical_not(inner) if isinstance(op, ast.Not) else -inner if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            return ARITHMETIC[type(op)](value(left), value(right))
        case ast.Compare(left=left, ops=ops, comparators=others):
            pairs = zip([left, *others], ops, others, strict=False)
            return reduce(np.logical_and, [_compared(value(one), op, other, columns) for one, op, other in pairs])
        case ast.IfExp(test=test, body=body, orelse=other):
            return np.where(value(test), *_comparable(value(body), value(other)))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*map(value, arguments))
    raise AssertionError(ast.dump(node))


def _compared(one: Any, op: ast.cmpop, other: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(other, (ast.Tuple, ast.List)):
        found = reduce(np.logical_or, [_equal(one, _value(member, columns)) for member in other.elts])
        return np.logical_not(found) if isinstance(op, ast.NotIn) else found
    second = _value(other, columns)
    if type(op) in ORDER:
        return ORDER[type(op)](one, second)
    return _equal(one, second) if isinstance(op, ast.Eq) else np.logical_not(_equal(one, second))


def _equal(one: Any, other: Any) -> Any:
    return np.asarray(np.equal(*_comparable(one, other)), bool)


def _comparable(one: Any, other: Any) -> tuple[Any, Any]:
    """Both as objects if a text is among them: NumPy would turn the numbers into texts."""
    if any(np.asarray(value).dtype.kind in "OU" for value in (one, other)):
        return np.asarray(one, object), np.asarray(other, object)
    return one, other
