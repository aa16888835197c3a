from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwexplore.quality.networks import Examples
from hwexplore.quality.networks import train as training
from hwexplore.quality.networks.charlm import read
from hwexplore.quality.networks.corpus import encode
from hwexplore.quality.networks.gradient import gradients

TEXT = "the quick brown fox jumps over the lazy dog. " * 60


def test_a_sentence_is_learnt_and_the_same_each_time() -> None:
    tokens = encode(TEXT)
    models = [training.initial(0, width=16, hidden=32, blocks=1, heads=2) for _ in range(2)]
    for model in models:
        training.train(model, tokens, 400, context=32, batch=4)
    assert gradients(models[0], Examples.of_tokens(tokens[None, :65])).loss < 1.5
    for name, value in models[0].parameters.items():
        np.testing.assert_array_equal(value, models[1].parameters[name])


@pytest.mark.slow
def test_the_script_writes_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "standard_library_text", lambda: (TEXT, TEXT[::-1]))
    training.main(tmp_path / "small.npz", steps=1)
    out = capsys.readouterr().out
    assert "516992 parameters" in out
    assert "3-gram" in out
    with (tmp_path / "small.npz").open("rb") as file:
        benchmark = read(file)
    assert len(benchmark.network.layers) == 7 * training.BLOCKS
    assert benchmark.held_out.inputs.shape == (training.KEPT, training.CONTEXT)
