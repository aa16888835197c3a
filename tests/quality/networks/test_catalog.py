from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import load


def test_the_character_language_model() -> None:
    benchmark = load("charlm")
    assert benchmark is load("charlm")
    assert all(value.dtype == np.float32 for value in benchmark.model.parameters.values())
    assert benchmark.calibration.shape == benchmark.held_out.shape == (128, 129)


def test_unknown_networks() -> None:
    with pytest.raises(InputError, match="unknown network 'charln'; did you mean charlm"):
        load("charln")
