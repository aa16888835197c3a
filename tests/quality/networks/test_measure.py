from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import Quality, load, measure, sweep, uniform
from hwexplore.quality.networks.corpus import decode
from hwexplore.quality.networks.gradient import loss_and_gradient

benchmark = load("charlm")


@cache
def quality(formats: str, method: str = "rtn", recent: int = 0) -> Quality:
    return measure(benchmark, uniform(benchmark, formats), method, recent, windows=24)


def test_the_checkpoint_is_a_language_model() -> None:
    assert sum(value.size for value in benchmark.network.parameters.values()) == 516_992
    assert "the" in decode(benchmark.held_out.inputs)
    loss = loss_and_gradient(benchmark.network, benchmark.held_out[::8])[0] / np.log(2)
    assert loss < 2.3


def test_fp32_is_the_reference() -> None:
    fp32 = quality("fp32/fp32/fp32")
    assert abs(fp32.delta) < 1e-5
    assert abs(fp32.kl_nats) < 1e-5
    assert fp32.agreement == 1
    assert fp32.seconds > 0


def test_the_metric_is_the_loss() -> None:
    text = benchmark.held_out[np.linspace(0, 127, 24).astype(int)]
    loss = loss_and_gradient(benchmark.network, text)[0] / np.log(2)
    int3 = quality("int3")
    assert int3.value - int3.delta == pytest.approx(loss, rel=1e-5)
    assert int3.delta > 5 * int3.delta_error > 0


def test_a_sweep_is_its_measurements() -> None:
    frame = sweep(benchmark, ["int4", "int4/int8/fp32"], ["rtn", "hadamard"], windows=2)
    assert list(frame.format) == ["int4", "int4/int8/fp32"] * 2
    assert list(frame.method) == ["rtn", "rtn", "hadamard", "hadamard"]
    one = measure(benchmark, uniform(benchmark, "int4"), "hadamard", windows=2)
    assert frame.kl_nats[2] == one.kl_nats


@pytest.mark.parametrize(
    ("formats", "arguments", "message"),
    [
        ("int4", {"windows": 1}, "windows is 1; charlm has 2 to 128"),
        ("int4", {"windows": 129}, "windows is 129"),
        ("int4", {"recent": -1}, "recent is -1; expected a number of tokens from 0 on"),
        ("int", {}, "unknown format 'int'"),
        ("int4/int8", {}, "'int4/int8' has 2 operands"),
        ("int4/int8/int8;a=int8//", {}, "override layers; expected weights/activations/kv_cache for all"),
        ("int4", {"methods": ["gptg"]}, "unknown method 'gptg'"),
    ],
)
def test_bad_input(formats: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sweep(benchmark, [formats], **arguments)  # type: ignore[arg-type]
