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
REFERENCE = "topics.py"
"""The language reference, a dictionary of long strings."""
HELD_OUT_EVERY = 10


def standard_library_text(folder: Path | None = None) -> tuple[str, str]:
    """Text to train on and held-out text: every tenth file in ``folder`` is held out.

    The documentation strings of all modules, in the order of their paths, and the language reference
    (``pydoc_data.topics``); of the running Python's standard library unless there is a ``folder``. Under the PSF
    licence, like Python.
    """
    folder = folder or Path(sysconfig.get_path("stdlib"))
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    texts = ["\n\n".join(_strings(folder / path)) for path in paths if not EXCLUDED.intersection(path.parts)]
    train = [text for number, text in enumerate(texts) if text and number % HELD_OUT_EVERY]
    return "\n\n".join(train), "\n\n".join(filter(None, texts[::HELD_OUT_EVERY]))


def encode(text: str) -> NDArray[np.uint8]:
    """The tokens of ``text``; characters outside `VOCABULARY` are left out."""
    index = {character: token for token, character in enumerate(VOCABULARY)}
    return np.array([index[character] for character in text if character in index], np.uint8)


def decode(tokens: NDArray[np.uint8]) -> str:
    """The text of ``tokens``."""
    return "".join(VOCABULARY[token] for token in tokens.ravel())


def _strings(path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escape sequences
        tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if path.name == REFERENCE and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
