from __future__ import annotations

import numpy as np
import pytest
from circuits import circuit

from hwexplore.calibration.simulation import simulate
from hwexplore.calibration.stimulus import Stimulus
from hwexplore.errors import InputError

CYCLES, STREAMS = 12, 70
CHAIN = circuit(
    {"clk": (2,), "rst": (8,), "x": (3,)},
    {"y": (7,)},
    ("dff", (2, 3), (4, None)),
    ("dff", (2, 4), (None, 5)),
    ("inv", (5,), (6,)),
    ("dff", (2, 6), (7, None)),
    ("inv", (8,), (9,)),
)
"""Three flip-flops, the second one by its inverted output."""


def shifted(last: int = 0) -> tuple[Stimulus, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random((CYCLES, 1, STREAMS)) < 0.5
    expected = x[CYCLES - 1 - 3].copy()
    expected[0, last] ^= last > 0
    observed = rng.integers(3, CYCLES - 1, STREAMS)
    return Stimulus({"rst": np.zeros_like(x), "x": x}, observed, {"y": expected}), x[:, 0]


def test_a_chain_of_flip_flops_delays_by_its_length() -> None:
    stimulus, x = shifted()
    found = simulate(CHAIN, stimulus)
    assert found.streams == STREAMS
    for stream, cycle in enumerate(stimulus.observed):
        for state, at in ((found.before, cycle), (found.after, cycle + 1)):
            bits = [state[net] >> stream & 1 for net in (3, 4, 5, 6, 7)]
            assert bits == [
                x[at, stream],
                x[at - 1, stream],
                not x[at - 2, stream],
                x[at - 2, stream],
                x[at - 3, stream],
            ]


def test_an_output_that_is_wrong_in_one_stream_is_an_error() -> None:
    stimulus, _ = shifted(last=STREAMS - 1)
    with pytest.raises(InputError, match=r"output y\[0\] differs"):
        simulate(CHAIN, stimulus)
