from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.networks import Benchmark, measure, uniform
from hwexplore.quality.networks.g2p import PHONEMES, edit_distance, read_dictionary, read_network, spell
from hwexplore.quality.networks.seq2seq import END

WORDS = st.lists(st.integers(0, 3), max_size=6)


@pytest.fixture(scope="module")
def g2p(installed: Callable[[str], Benchmark]) -> Benchmark:
    return installed("g2p")


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(a: list[int], b: list[int], c: list[int]) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize(("a", "b", "distance"), [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("", "abc", 3)])
def test_edit_distance_of_known_pairs(a: str, b: str, distance: int) -> None:
    assert edit_distance([*map(ord, a)], [*map(ord, b)]) == distance


def test_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "cmudict.dict"
    path.write_text("'em AH0 M\na AH0\na(2) EY1\na.d. EY2 D IY1\naalborg AO1 L B AO0 R G # place, danish\n")
    known = {word: [[PHONEMES[i] for i in one] for one in ways] for word, ways in read_dictionary(path).items()}
    assert known == {"a": [["AH0"], ["EY1"]], "aalborg": [["AO1", "L", "B", "AO0", "R", "G"]]}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint20.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not the checkpoint of g2p-en"):
        read_network(path)


def test_a_checkpoint_that_lacks_arrays(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint20.npz"
    np.savez(path, enc_emb=np.zeros((29, 4)))
    with pytest.raises(InputError, match="dec_emb"):
        read_network(path)


def test_words_of_no_dictionary(g2p: Benchmark) -> None:
    """Made-up words can be said in one way only."""
    for word, expected in {"blick": "B L IH1 K", "snarp": "S N AA1 R P", "frint": "F R IH1 N T"}.items():
        written = g2p.network.write(np.array([spell(word)]))[0]
        assert " ".join(PHONEMES[i] for i in written[written != END]) == expected


def test_error_rate_of_fp32_is_that_of_the_literature(g2p: Benchmark) -> None:
    """Recurrent networks miss 5 to 8 % of CMUdict's phonemes, stress aside (arXiv 1506.00196); this one 7.8 %."""
    plain = {name: i for i, name in enumerate(sorted({phoneme.rstrip("012") for phoneme in PHONEMES[4:]}))}
    edits = length = 0
    words = g2p.held_out
    for said, variants in zip(g2p.network.write(words.inputs[:, 0]), words.targets, strict=True):
        ways = [[plain[PHONEMES[i].rstrip("012")] for i in way if i] for way in variants if way.any()]
        spoken = [plain[PHONEMES[i].rstrip("012")] for i in said if i != END]
        best = min(ways, key=lambda way: edit_distance(spoken, way))
        edits, length = edits + edit_distance(spoken, best), length + len(best)
    assert 0.05 < edits / length < 0.08


def test_fp32_is_itself(g2p: Benchmark) -> None:
    quality = measure(g2p, uniform(g2p, "fp32"), windows=50)
    assert (quality.delta, quality.kl_nats, quality.agreement) == (0, 0, 1)


def test_fewer_bits_are_worse(g2p: Benchmark) -> None:
    eight, four, three = (measure(g2p, uniform(g2p, format), windows=60) for format in ("int8", "int4", "int3"))
    assert eight.kl_nats < 0.003 < four.kl_nats < three.kl_nats
    assert eight.value < three.value
    assert three.agreement < four.agreement < eight.agreement


@pytest.mark.parametrize(
    ("formats", "recent", "message"),
    [("int4/int8/int8", 0, "g2p has no KV cache; expected fp32 for it"), ("int8", 4, "has no KV cache")],
)
def test_there_is_no_kv_cache(g2p: Benchmark, formats: str, recent: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure(g2p, uniform(g2p, formats), recent=recent)


def test_states_near_one_saturate_where_scales_round_down(g2p: Benchmark) -> None:
    """OCP's scales are powers of two rounded down: of e2m1 a block with a maximum of 0.99 reaches 0.75."""
    state = np.full((1, 32), 0.99)
    assert Format.parse("mxfp4").quantize(state).max() == 0.75
    down, up = (measure(g2p, uniform(g2p, format), windows=50) for format in ("mxfp4", "mxfp4:ceil"))
    assert down.kl_nats > 5 * up.kl_nats
