from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality.networks import load
from hwexplore.quality.networks.corpus import VOCABULARY, encode, standard_library_text
from hwexplore.quality.networks.gradient import loss_and_gradient
from hwexplore.quality.networks.ngrams import bits_per_character

SIZE = len(VOCABULARY)


def test_uniform_text_takes_all_bits() -> None:
    rng = np.random.default_rng(0)
    train, held_out = rng.integers(SIZE, size=200_000), rng.integers(SIZE, size=(10, 101))
    assert bits_per_character(train, held_out, 0) == pytest.approx(np.log2(SIZE))
    assert bits_per_character(train, held_out, 1) == pytest.approx(np.log2(SIZE), rel=0.01)


def test_a_period_needs_an_order_to_be_seen() -> None:
    train = np.tile([1, 2, 1, 3], 5000)
    held_out = train[:401].reshape(1, -1)
    one, two, three = (bits_per_character(train, held_out, order) for order in (1, 2, 3))
    assert one == pytest.approx(1.5, abs=0.01)
    assert two == pytest.approx(0.5, abs=0.01)
    assert three < 0.02


def test_by_hand() -> None:
    """Trained on 1 1 2: after 1 came 1 and 2 once each, in all 1 twice and 2 once."""
    seen = {token: (count + 2 / SIZE) / 5 for token, count in ((1, 2), (2, 1), (3, 0))}
    expected = [-np.log2((1 + 2 * seen[2]) / 4), -np.log2(seen[3])]  # nothing came after 2
    ours = bits_per_character(np.array([1, 1, 2]), np.array([[1, 2, 3]]), 2)
    assert ours == pytest.approx(np.mean(expected))


@pytest.mark.slow
def test_the_language_model_is_far_better_than_a_trigram() -> None:
    """Even one of the running Python's text, which may hold what is held out here."""
    examples = load("charlm").held_out
    held_out = np.hstack([examples.inputs, examples.targets[:, -1:]])
    loss = loss_and_gradient(load("charlm").network, examples)[0] / np.log(2)
    assert loss < bits_per_character(encode(standard_library_text()[0]), held_out, 3) - 0.5
