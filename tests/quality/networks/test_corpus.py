from __future__ import annotations

from pathlib import Path

import numpy as np

from hwexplore.quality.networks.corpus import VOCABULARY, decode, encode, standard_library_text


def test_text_goes_to_tokens_and_back() -> None:
    text = "def f(x):\n    return {x: '~'}"
    assert decode(encode(text)) == text
    assert decode(encode("naïve\ttext")) == "navetext"
    assert encode(VOCABULARY).tolist() == list(range(96))


def test_every_tenth_file_is_held_out(tmp_path: Path) -> None:
    for number in range(21):
        (tmp_path / f"m{number:02}.py").write_text(
            f'"""Module {number}."""\n\ndef f():\n    r"""Function {number}: \\d."""\n'
        )
    (tmp_path / "m01.py").write_text("x = 1\n")
    (tmp_path / "m12.py").write_text("x = '\\d'\n")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_m.py").write_text('"""Not this."""')
    train, held_out = standard_library_text(tmp_path)
    assert held_out == "\n\n".join(f"Module {n}.\n\nFunction {n}: \\d." for n in (0, 10, 20))
    kept = [n for n in range(21) if n % 10 and n not in (1, 12)]
    assert train == "\n\n".join(f"Module {n}.\n\nFunction {n}: \\d." for n in kept)


def test_the_language_reference_is_long_strings(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "topics.py").write_text("topics = {'if': 'The if statement.'}\n")
    assert "The if statement." in standard_library_text(tmp_path)[0]


def test_tokens_are_bytes() -> None:
    assert encode("abc").dtype == np.uint8
