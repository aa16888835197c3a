from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.workloads import OperandFormat, Policy, load

FORMATS = st.sampled_from(["int8", "int4", "e4m3", "fp16", "int8_channel", "int4_g128", "mxfp4"])
CONVERTED = st.builds("{}>bf16{}".format, FORMATS, st.sampled_from(["", "@pe", "@dram"]))
OPERAND = FORMATS | CONVERTED
PARTIAL = st.dictionaries(st.sampled_from(["weights", "activations", "kv_cache"]), OPERAND)


@pytest.mark.parametrize(
    ("text", "storage", "compute", "dequantize"),
    [
        ("int8", "int8", "int8", "none"),
        ("fp16", "fp16", "fp16", "none"),
        ("int8_channel", "int8_channel", "int8", "none"),
        ("int4_g128", "int4_g128", "int4", "group"),
        ("mxfp4", "mxfp4", "e2m1", "group"),
        ("mxfp4>int8", "mxfp4", "int8", "edge"),
        ("int4>fp16", "int4", "fp16", "edge"),
        ("int4_g128>fp16@pe", "int4_g128", "fp16", "pe"),
        ("int4_g128@pe", "int4_g128", "int4", "pe"),
        (" int4_g128 > fp16 @ dram ", "int4_g128", "fp16", "dram"),
    ],
)
def test_operand_format(text: str, storage: str, compute: str, dequantize: str) -> None:
    operand = OperandFormat.parse(text)
    assert operand == OperandFormat(storage=Format.parse(storage), compute=Format.parse(compute), dequantize=dequantize)
    assert OperandFormat.parse(str(operand)) == operand


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8@edge", "dequantize is 'edge' for int8 computed as int8; expected none"),
        ("int8_channel@group", "expected none"),
        ("mxfp4@edge", "expected group or pe"),
        ("mxfp4@none", "expected group or pe"),
        ("mxfp4>int8@group", "expected edge or dram or pe"),
        ("int4>fp16@none", "expected edge or dram or pe"),
        ("int4@moon", "unknown place of dequantization 'moon'"),
        ("int4@", "is incomplete"),
        ("int4>", "is incomplete"),
        ("nosuchformat", "nosuchformat"),
    ],
)
def test_impossible_operand_formats(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        OperandFormat.parse(text)


def test_policy_takes_formats_and_text() -> None:
    policy = Policy(weights="int4_g128", activations=Format.parse("int8"), kv_cache=OperandFormat.parse("int8>fp16"))
    assert str(policy) == "int4_g128/int8/int8>fp16"
    assert str(Policy()) == "fp16/fp16/fp16"
    with pytest.raises(InputError, match="weights is 4; expected a format or its text"):
        Policy(weights=4)


@given(OPERAND, OPERAND, OPERAND, st.dictionaries(st.sampled_from(["lm_head", "attention", "linear"]), PARTIAL))
def test_text_round_trip(weights: str, activations: str, kv_cache: str, overrides: dict[str, dict[str, str]]) -> None:
    policy = Policy(weights, activations, kv_cache, overrides=overrides)
    again = Policy.parse(str(policy))
    assert again == policy
    assert hash(again) == hash(policy)
    assert str(again) == str(policy)
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_policies_differ_by_their_overrides() -> None:
    assert Policy.parse("int4/fp16/fp16;lm_head=int8//") != Policy.parse("int4/fp16/fp16")


def test_name_wins_over_kind() -> None:
    policy = Policy.parse("int4/fp16/fp16; lm_head=int8// ; linear=fp16/int8/")
    operators = {operator.name: operator for operator in load("llama-2-7b").operators}
    head = policy.operands(operators["lm_head"])
    assert (str(head.weights), str(head.activations), str(head.kv_cache)) == ("int8", "int8", "fp16")
    assert str(policy.operands(operators["q_proj"]).weights) == "fp16"
    assert str(policy.operands(operators["softmax"]).weights) == "int4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int4/fp16", "policy part 'int4/fp16' has 2 operands; expected weights/activations/kv_cache"),
        ("/fp16/fp16", "policy part '/fp16/fp16' lacks an operand"),
        ("int4/fp16/fp16;lm_head", "policy part 'lm_head' has 1 operands"),
        ("int4/fp16/fp16;lm_head=nosuchformat//", "nosuchformat"),
    ],
)
def test_malformed_policies(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Policy.parse(text)


def test_malformed_overrides() -> None:
    with pytest.raises(InputError, match="unknown operand 'weight'; did you mean weights"):
        Policy(overrides={"lm_head": {"weight": "int8"}})
    with pytest.raises(InputError, match="the override of lm_head is 'int8'; expected a mapping"):
        Policy(overrides={"lm_head": "int8"})
    with pytest.raises(InputError, match=r"lm_head\.weights is 8; expected a format"):
        Policy(overrides={"lm_head": {"weights": 8}})
