"""English text that ships with Python: the documentation strings of its standard library."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["VOCABULARY", "decode", "encode", "standard_library_text"]

VOCABULARY = "\n" + "".join(map(chr, range(32, 127)))
"""The characters of a token, in the order of the tokens: the newline and printable ASCII."""

EXCLUDED = {"site-packages", "test", "tests", "idle_test", "lib2to3", "__pycache__"}
HELD_OUT_EVERY = 10


def standard_library_text() -> tuple[str, str]:
    """Text to train on and held-out text: every tenth file of the running Python's standard library is held out.

    The language reference (``pydoc_data.topics``), the licence and the documentation strings of all modules, in the
    order of their paths, other characters than `VOCABULARY` left out. Under the PSF licence, like Python.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    kept = [path for path in paths if not EXCLUDED.intersection(path.parts) and "config-" not in str(path)]
    texts = ["\n\n".join(_docstrings(folder / path)) for path in kept]
    licence = folder / "LICENSE.txt"
    train = [licence.read_text()] if licence.exists() else []
    train += [text for number, text in enumerate(texts) if number % HELD_OUT_EVERY]
    return tuple("\n\n".join(filter(None, part)) for part in (train, texts[::HELD_OUT_EVERY]))  # type: ignore[return-value]


def encode(text: str) -> NDArray[np.uint8]:
    """The tokens of ``text``; characters outside `VOCABULARY` are left out."""
    index = {character: token for token, character in enumerate(VOCABULARY)}
    return np.array([index[character] for character in text if character in index], np.uint8)


def decode(tokens: NDArray[np.uint8]) -> str:
    """The text of ``tokens``."""
    return "".join(VOCABULARY[token] for token in tokens.ravel())


def _docstrings(path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        tree = ast.parse(path.read_bytes())
    if path.name == "topics.py":
        yield from (
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 100
        )
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
