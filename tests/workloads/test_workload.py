from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.workloads import Operands, Operator, Policy, load


def test_frame_has_a_row_per_operator_in_order() -> None:
    workload = load("llama-2-7b")
    frame = workload.to_frame(Policy())
    assert list(frame.columns) == [
        *("name", "kind", "count", "batch", "m", "n", "k", "macs", "vector_ops"),
        *("weight_bytes", "activation_bytes", "output_bytes", "kv_bytes"),
    ]
    assert list(frame.name) == [operator.name for operator in workload.operators]
    assert list(frame.loc[frame.name == "down_proj", ["count", "m", "n", "k"]].iloc[0]) == [32, 1, 4096, 11008]


def test_columns_are_the_numeric_fields() -> None:
    workload = load("mixtral-8x7b", batch=3)
    columns = workload.columns()
    for name, column in columns.items():
        assert column.dtype == np.float64
        assert list(column) == [getattr(operator, name) for operator in workload.operators]
    assert "macs" in columns
    assert not {"name", "kind"} & set(columns)


def test_tokens() -> None:
    assert load("llama-2-7b", batch=4, context=128).tokens == 4
    prefill = load("llama-2-7b", phase="prefill", batch=4, context=128)
    assert prefill.tokens == replace(prefill, output_tokens=None).tokens == 512


def test_weight_elements_of_a_decode_pass() -> None:
    """All parameters but the embedding table (one row of it is read) and the 65 norms."""
    workload = load("llama-2-7b")
    assert workload.weight_elements == workload.parameters - 32000 * 4096 + 4096 - 65 * 4096


@pytest.mark.parametrize("text", ["int3", "int4_g128", "mxfp4", "int8_channel"])
def test_bytes_are_the_packed_storage_format(text: str) -> None:
    workload = load("smollm2-135m", batch=2)
    frame = workload.to_frame(Policy(weights=text, activations="int8", kv_cache=text))
    columns = workload.columns()
    packed = Format.parse(text).packed_bits(32) / 8
    np.testing.assert_allclose(frame.weight_bytes, columns["weight_elements"] * packed, rtol=1e-15)
    np.testing.assert_allclose(frame.kv_bytes, columns["kv_elements"] * packed, rtol=1e-15)
    np.testing.assert_array_equal(frame.activation_bytes, columns["activation_elements"])
    np.testing.assert_array_equal(frame.output_bytes, columns["output_elements"])


def test_overrides_reach_the_table() -> None:
    workload = load("smollm2-135m")
    plain = workload.to_frame(Policy(weights="int4")).set_index("name").weight_bytes
    head = workload.to_frame(Policy(weights="int4", overrides={"lm_head": {"weights": "int8"}}))
    ratio = head.set_index("name").weight_bytes[plain > 0] / plain[plain > 0]
    assert ratio["lm_head"] == 2
    assert set(ratio.drop("lm_head")) == {1}


def test_unknown_override_is_refused() -> None:
    policy = Policy(overrides={"lm_heat": {"weights": "int8"}})
    with pytest.raises(InputError, match=r"unknown operator or kind .* 'lm_heat'; did you mean lm_head"):
        load("llama-2-7b").to_frame(policy)


def test_operands_follow_the_operators() -> None:
    workload = load("llama-2-7b")
    operands = workload.operands(Policy(weights="int4", overrides={"attention": {"kv_cache": "int8"}}))
    assert all(isinstance(row, Operands) for row in operands)
    for operator, row in zip(workload.operators, operands, strict=True):
        assert str(row.kv_cache) == ("int8" if operator.kind == "attention" else "fp16")
        assert str(row.weights) == "int4"


@pytest.mark.parametrize("name", ["m", "n", "k"])
def test_sizes_that_overflow(name: str) -> None:
    sizes = {"m": 4, "n": 5, "k": 6} | {name: 2**53}
    with pytest.raises(InputError, match=f"big has {name} = 9.007e[+]15; expected less than 2[*][*]53"):
        Operator(name="big", kind="linear", **sizes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"attn_norm has m = 4.612e[+]18; .* take a smaller batch or context"):
        load("llama-2-7b", phase="prefill", batch=2**31 - 1, context=2**31 - 1)
