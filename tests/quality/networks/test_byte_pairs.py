from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.quality.networks.byte_pairs import LETTERS, BytePairs

MERGES = ["t h", "th e", "Ġ the", "a b", "b c", "1 2"]
TOKENS = [*LETTERS, *(merge.replace(" ", "") for merge in MERGES)]
tokenizer = BytePairs(TOKENS, MERGES)


@given(st.text())
def test_text_goes_to_tokens_and_back(text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the the", ["the", "Ġthe"]),
        ("abc", ["ab", "c"]),  # the first merge first, not the longest
        ("bc", ["bc"]),
        ("12", ["1", "2"]),  # digits stay apart, whatever merges say
        ("  the", ["Ġ", "Ġthe"]),
        ("t he", ["t", "Ġ", "h", "e"]),
        ("é", ["Ã", "©"]),
    ],
)
def test_merges(text: str, pieces: list[str]) -> None:
    assert [TOKENS[token] for token in tokenizer.encode(text)] == pieces
