"""The tables of docs/quality.md are what the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hwexplore.quality import crossover_block, expected_noise

DOCUMENT = Path(__file__).parents[2] / "docs" / "quality.md"


def table(first: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows, without marks of code, of the table whose first column is ``first``."""
    lines = DOCUMENT.read_text().splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith(f"| {first} |")]
    cells = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return cells[0], cells[2:]


def db(name: str, distribution: str, sigma: float = 1.0) -> float:
    return float(-10 * np.log10(expected_noise(name, distribution, sigma=sigma)))


def test_crossovers() -> None:
    header, rows = table("integer, minifloat")
    assert len(rows) == 6
    for elements, scale, *blocks in rows:
        integer, minifloat = re.findall(r"\w+", elements)
        for distribution, block in zip(header[2:], blocks, strict=True):
            assert crossover_block(integer, minifloat, distribution, scale) == int(block)


def test_best_minifloats() -> None:
    header, rows = table("bits")
    assert len(rows) == 6
    for bits, *cells in rows:
        splits = [f"e{exponent}m{int(bits) - 1 - exponent}" for exponent in range(2, int(bits))]
        for distribution, cell in zip(header[1:], cells, strict=True):
            of = {split: db(f"{split}_channel", distribution) for split in splits}
            best = max(of, key=lambda split: of[split])
            assert cell == f"{db(f'int{bits}s_channel', distribution):.1f}, {of[best]:.1f} ({best})"


def test_narrow_tensors() -> None:
    header, rows = table("format")
    assert len(rows) == 5
    for name, *cells in rows:
        for sigma, cell in zip(header[1:], cells, strict=True):
            assert db(name, "gaussian", float(sigma)) == pytest.approx(float(cell), abs=0.051)
