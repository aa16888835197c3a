"""Byte-level byte-pair encoding: text to tokens and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

__all__ = ["BytePairs"]

PIECES = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
"""GPT-2's pieces of text without numbers."""
PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]


def _letters() -> list[str]:
    """The character that stands for each byte: itself if it can be printed, or one from 256 on (GPT-2's choice)."""
    others = iter(range(256, 512))
    return [chr(byte) if byte in PRINTABLE else chr(next(others)) for byte in range(256)]


LETTERS = _letters()


def _pieces(text: str) -> Iterator[str]:
    """What is merged apart: every digit alone, as in the tokenizer "smollm", and GPT-2's pieces of what is between."""
    for number, run in groupby(text, lambda character: category(character).startswith("N")):
        part = "".join(run)
        yield from part if number else PIECES.findall(part)


class BytePairs:
    """A vocabulary ``tokens`` and ``merges`` of two tokens each, "left right", the first merge first.

    Sennrich et al., arXiv 1508.07909, on bytes, as in GPT-2. Special tokens in a text are taken for text.
    """

    def __init__(self, tokens: Sequence[str], merges: Sequence[str]) -> None:
        self.tokens = tokens
        self._ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def encode(self, text: str) -> NDArray[np.int64]:
        """The tokens of ``text``."""
        return np.array([self._numbers[part] for piece in _pieces(text) for part in self._merged(piece)], int)

    def decode(self, tokens: Sequence[int] | NDArray[np.integer]) -> str:
        """The text of ``tokens``."""
        written = "".join(self.tokens[token] for token in tokens)
        return bytes(map(LETTERS.index, written)).decode(errors="replace")

    def _merged(self, piece: str) -> list[str]:
        parts = [LETTERS[byte] for byte in piece.encode()]
        while len(parts) > 1:
            ranks = [self._ranks.get(pair, len(self._ranks)) for pair in pairwise(parts)]
            if (best := min(ranks)) == len(self._ranks):
                break
            place = ranks.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return parts
