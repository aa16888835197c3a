from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.quality import accumulation_noise, noise_to_signal, operand_noise, policy_error
from hwexplore.workloads import OperandFormat, Operator, Policy, Workload, load

INT8 = Format.parse("int8")
EXACT = PE.parse("mac(int8, int8, acc=exact(4096))")


def product(name: str, kind: str = "linear", count: int = 1, batch: float = 1, n: int = 10, k: int = 64) -> Operator:
    elements = dict.fromkeys(
        ("weight_elements", "activation_elements", "kv_elements", "output_elements", "vector_ops"), 1.0
    )
    return Operator(name=name, kind=kind, count=count, batch=batch, m=2, n=n, k=k, **elements)  # type: ignore[arg-type]


def workload(*operators: Operator) -> Workload:
    return Workload(
        name="hand-made",
        phase="decode",
        batch=1,
        context=1,
        operators=operators,
        parameters=1,
        active_parameters=1,
    )


def noise(text: str) -> float:
    return noise_to_signal(Format.parse(text))


def test_error_of_one_product_is_that_of_its_operands() -> None:
    one = workload(product("q_proj"))
    policy = Policy(weights="int4_g128", activations="int8", kv_cache="int2")
    assert policy_error(one, policy, EXACT) == pytest.approx(noise("int4_g128") + noise("int8"))


def test_attention_reads_the_kv_cache() -> None:
    one = workload(product("qk", kind="attention"))
    policy = Policy(weights="int2", activations="int8", kv_cache="int4")
    assert policy_error(one, policy, EXACT) == pytest.approx(noise("int4") + noise("int8"))


def test_error_is_the_mean_weighted_with_macs() -> None:
    """1 x 1 x 2 x 10 x 64 MACs in 4 bits, 3 x 5 times as many in 8, and a norm that multiplies nothing."""
    mixed = workload(
        product("q_proj"), product("o_proj", count=3, batch=5), product("norm", kind="norm", count=1000, k=0)
    )
    policy = Policy(weights="int8", activations="int8", overrides={"q_proj": {"weights": "int4"}})
    expected = (noise("int4") + 15 * noise("int8")) / 16 + noise("int8")
    assert policy_error(mixed, policy, EXACT) == pytest.approx(expected)


def test_a_conversion_adds_its_own_noise() -> None:
    assert operand_noise(OperandFormat.parse("int4_g128")) == noise("int4_g128")
    assert operand_noise(OperandFormat.parse("mxfp4>int8")) == pytest.approx(noise("mxfp4") + noise("int8"))


def test_the_accumulator_adds_its_noise_where_the_pe_runs() -> None:
    narrow = PE.parse("mac(int8, int8, acc=int16 sat)")
    one, policy = workload(product("q_proj", k=4096)), Policy(weights="int8_g32", activations="int8")
    added = policy_error(one, policy, narrow) - policy_error(one, policy, EXACT)
    assert added == pytest.approx(accumulation_noise(narrow, INT8, INT8, 4096, 32))
    assert added > 0
    wide = Policy(weights="int8_g32", activations="fp16")
    assert policy_error(one, wide, narrow) == pytest.approx(noise("int8_g32") + noise("fp16"))


def test_a_workload_without_products_has_no_error() -> None:
    with pytest.raises(InputError, match="workload hand-made has no matrix products"):
        policy_error(workload(product("norm", kind="norm", k=0)), Policy(), EXACT)


def test_fewer_bits_err_more_on_a_real_network() -> None:
    llama = load("llama-2-7b")
    errors = [
        policy_error(llama, Policy(weights=weights, activations="int8", kv_cache="int8"), EXACT)
        for weights in ("int8_channel", "int4_g128", "int3_g128", "int2_g128")
    ]
    assert errors == sorted(errors)
    assert errors[0] > noise("int8")


@pytest.mark.parametrize("pe", ["mac(int8, int8, acc=int32)", "mac(int8, int8, acc=int28 sat)", str(EXACT)])
def test_no_noise_where_nothing_can_overflow(pe: str) -> None:
    assert accumulation_noise(PE.parse(pe), INT8, INT8, 4096) == 0


@pytest.mark.parametrize("kind", ["", " sat"])
def test_noise_grows_as_the_accumulator_narrows(kind: str) -> None:
    noises = [
        accumulation_noise(PE.parse(f"mac(int8, int8, acc=int{bits}{kind})"), INT8, INT8, 4096, 32)
        for bits in (28, 18, 17, 16)
    ]
    assert noises[0] == 0
    assert noises == sorted(noises)
    assert noises[-1] > 1e-3


def test_wrapping_costs_more_than_saturating() -> None:
    wrap, saturate = (PE.parse(f"mac(int8, int8, acc=int16{kind})") for kind in ("", " sat"))
    assert accumulation_noise(wrap, INT8, INT8, 4096, 32) > accumulation_noise(saturate, INT8, INT8, 4096, 32)


def test_noise_against_a_direct_simulation() -> None:
    """Gaussian operands, weights at the crest of a block of 32; each sum clipped to 16 bits after every addition."""
    rng = np.random.default_rng(7)
    w, a = (
        np.rint(rng.standard_normal((48, 4096)) * 127 / crest).clip(-128, 127).astype(np.int64)
        for crest in (2.96, 11.97)
    )
    total = np.zeros((48, 48), np.int64)
    for w_k, a_k in zip(w.T, a.T, strict=True):
        total = np.clip(total + np.multiply.outer(a_k, w_k), -(2**15), 2**15 - 1)
    exact = a @ w.T
    expected = np.mean((total - exact) ** 2) / np.mean(exact**2)
    pe = PE.parse("mac(int8, int8, acc=int16 sat)")
    assert accumulation_noise(pe, INT8, INT8, 4096, 32) == pytest.approx(expected, rel=0.3)


def test_noise_is_deterministic() -> None:
    narrow = PE.parse("mac(int8, int8, acc=int16)")
    first = accumulation_noise(narrow, INT8, INT8, 4000, 32)
    accumulation_noise.cache_clear()
    assert accumulation_noise(narrow, INT8, INT8, 4000, 32) == first > 0


def test_scales_of_tensors_are_no_noise_of_the_accumulator() -> None:
    nvfp4 = Format.parse("nvfp4")
    coarse, single = (PE.parse(f"dot(nvfp4, nvfp4, lanes=16, acc={format})") for format in ("bf16", "fp32"))
    assert 0 < accumulation_noise(coarse, nvfp4, nvfp4, 256, 16) < 1e-3
    assert accumulation_noise(single, nvfp4, nvfp4, 256, 16) < 1e-12


def test_floating_point_accumulators_round() -> None:
    half, single = (PE.parse(f"mac(int8, int8, acc={format})") for format in ("fp16", "fp32"))
    assert 0 < accumulation_noise(half, INT8, INT8, 256) < 1e-4
    assert accumulation_noise(single, INT8, INT8, 256) == 0


def test_an_accumulator_that_overflows_to_infinity() -> None:
    pe = PE.parse("mac(int16, int16, acc=fp16)")
    assert accumulation_noise(pe, Format.parse("int16"), Format.parse("int16"), 64) == np.inf


def test_operands_that_are_all_zero() -> None:
    """Two-bit weights at the crest of a channel: nothing reaches half of a step of a twelfth."""
    assert accumulation_noise(PE.parse("mac(int2, int8, acc=int10)"), Format.parse("int2"), INT8, 512) == 0


def test_sums_too_long_to_sample() -> None:
    pe = PE.parse("mac(int8, int8, acc=int32)")
    with pytest.raises(InputError, match="qk adds up k = 1000000000 products; expected at most 2097152"):
        policy_error(workload(product("qk", k=10**9)), Policy.parse("int8/int8/int8"), pe)
