from __future__ import annotations

import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import METHODS, Method


@pytest.mark.parametrize("text", [*METHODS, "hadamard+gptq", "equalize+smoothquant+hadamard16+clip+gptq+bias"])
def test_goes_to_text_and_back(text: str) -> None:
    assert str(Method.parse(text)) == text
    assert str(Method.parse("+".join(reversed(text.split("+"))))) == text


def test_the_block_of_the_rotation() -> None:
    blocks = {text: (Method.parse(text).rotates, Method.parse(text).rotation_block) for text in METHODS}
    assert blocks.pop("hadamard") == (True, None)
    assert blocks.pop("hadamard32") == (True, 32)
    assert blocks.pop("hadamard16") == (True, 16)
    assert set(blocks.values()) == {(False, None)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gptg", "unknown method 'gptg'; did you mean gptq"),
        ("", "unknown method ''"),
        ("gptq+gptq", "method 'gptq.gptq' repeats a part or rounds twice"),
        ("rtn+gptq", "rounds twice"),
        ("dual+clip", "rounds twice"),
        ("hadamard+hadamard16", "rotates twice; expected one of hadamard, hadamard32, hadamard16"),
    ],
)
def test_bad_methods(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Method.parse(text)
