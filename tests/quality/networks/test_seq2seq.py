from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality.networks.seq2seq import END, PAD, START, Seq2Seq

D, READ, WRITTEN = 6, 5, 9


@pytest.fixture(scope="module")
def network() -> Seq2Seq:
    random = np.random.default_rng(0)
    layers = ("encoder.input", "encoder.hidden", "decoder.input", "decoder.hidden")
    weights = {name: random.standard_normal((3 * D, D)) for name in layers}
    weights |= {"encoder": random.standard_normal((READ, D)), "decoder": random.standard_normal((WRITTEN, D))}
    weights["output"] = 3 * random.standard_normal((WRITTEN, D))
    biases = {name: random.standard_normal(3 * D) for name in layers} | {"output": random.standard_normal(WRITTEN)}
    return Seq2Seq(parameters=weights, biases=biases)


def gru(network: Seq2Seq, part: str, symbol: int, h: list[float]) -> list[float]:
    """One step for one sequence, element by element (the equations of torch.nn.GRU)."""
    w_x, w_h = network.parameters[f"{part}.input"], network.parameters[f"{part}.hidden"]
    b_x, b_h = network.biases[f"{part}.input"], network.biases[f"{part}.hidden"]
    x = network.parameters[part][symbol]

    def gate(i: int) -> tuple[float, float]:
        return (
            sum(w_x[i, j] * x[j] for j in range(D)) + b_x[i],
            sum(w_h[i, j] * h[j] for j in range(D)) + b_h[i],
        )

    state = []
    for i in range(D):
        reset = 1 / (1 + np.exp(-sum(gate(i))))
        update = 1 / (1 + np.exp(-sum(gate(D + i))))
        from_x, from_h = gate(2 * D + i)
        new = np.tanh(from_x + reset * from_h)
        state.append((1 - update) * new + update * h[i])
    return state


def by_hand(network: Seq2Seq, read: list[int], written: list[int]) -> np.ndarray:
    h = [0.0] * D
    for symbol in read:
        h = gru(network, "encoder", symbol, h)
    logits = []
    for symbol in written:
        h = gru(network, "decoder", symbol, h)
        logits.append(network.parameters["output"] @ np.array(h) + network.biases["output"])
    return np.array(logits)


def test_logits_skip_padding(network: Seq2Seq) -> None:
    inputs = np.array([[[3, 4, 2, PAD], [START, 5, PAD, PAD]], [[1, 3, 4, 2], [START, 6, 7, 8]]])
    short, long = by_hand(network, [3, 4, 2], [START, 5]), by_hand(network, [1, 3, 4, 2], [START, 6, 7, 8])
    expected = [short[0], long[0], short[1], long[1], long[2], long[3]]
    np.testing.assert_allclose(network.logits(inputs), expected, atol=1e-12)


def test_what_is_written_is_likeliest_at_each_step(network: Seq2Seq) -> None:
    read = np.array([[first, second, 2] for first in (1, 3, 4) for second in (1, 3, 4)])
    ended = 0
    for row, written in zip(read.tolist(), network.write(read).tolist(), strict=True):
        end = written.index(END) if END in written else len(written)
        assert set(written[end:]) <= {END}
        logits = by_hand(network, row, [START, *written[: end + 1]])
        assert logits.argmax(-1).tolist()[: len(written)][: end + 1] == written[: end + 1]
        ended += end < len(written)
    assert 0 < ended < len(read)
