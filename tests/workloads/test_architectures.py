from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.workloads.architectures import ARCHITECTURES, transformer
from hwexplore.workloads.attention import Attention, LatentAttention
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.passes import Pass
from hwexplore.workloads.transformer import Transformer

TINY = json.loads((Path(__file__).parents[1] / "data" / "transformers_totals.json").read_text(encoding="utf-8"))["tiny"]
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
MIXTURE = {"num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LATENT = {
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 12,
    "qk_rope_head_dim": 4,
    "v_head_dim": 10,
    "n_routed_experts": 4,
    "n_shared_experts": 2,
}
UNREAD = {"sliding_window", "max_window_layers", "num_key_value_heads", "n_group", "topk_group", "pad_token_id"}
"""Not read by all: windows that are switched off, key-value heads that latent attention lacks, what changes no size."""


def read(architecture: str, **fields: Any) -> Transformer:
    return transformer(LLAMA | {"architectures": [architecture]} | fields, source="here")


def complaint(config: dict[str, Any]) -> str:
    """What is wrong with the config, or nothing."""
    try:
        model = transformer(config, source="here")
        model.operators(Pass.prefill(2**31 - 1, 8))
    except InputError as error:
        return str(error)
    assert model.parameters >= model.active_parameters > 0
    return ""


def windows(model: Transformer) -> list[int]:
    attentions = [layer.attention for layer in model.layers]
    return [attention.window for attention in attentions if isinstance(attention, Attention)]


def attention(model: Transformer) -> Attention:
    assert isinstance(model.layers[0].attention, Attention)
    return model.layers[0].attention


def test_every_architecture_is_held_by_a_tiny_model_but_for_other_spellings() -> None:
    """Those in test_catalog.py; the rest read as one of them."""
    held = {row["config"]["architectures"][0] for row in TINY}
    assert set(ARCHITECTURES) - held == {
        *("BitnetForCausalLM", "PhimoeForCausalLM", "Mistral3ForConditionalGeneration"),
    }
    assert read("BitnetForCausalLM") == read("BitNetForCausalLM")
    assert read("PhimoeForCausalLM", **MIXTURE) == read("PhiMoEForCausalLM", **MIXTURE)
    nested = transformer({"architectures": ["Mistral3ForConditionalGeneration"], "text_config": LLAMA}, source="here")
    assert nested == read("MistralForCausalLM")


@pytest.mark.parametrize("field", [field for field in LLAMA if field not in ("architectures", "num_key_value_heads")])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(InputError, match=rf"^here: field '{field}' is missing; expected a positive integer\.$"):
        read("LlamaForCausalLM", **{field: None})


@pytest.mark.parametrize(
    "fields",
    [row["config"] for row in TINY if "text_config" not in row["config"]],
    ids=lambda each: each["architectures"][0],
)
def test_every_reader_checks_the_sizes_it_reads(fields: dict[str, Any]) -> None:
    for name in (name for name, value in fields.items() if type(value) is int and name not in UNREAD):
        for wrong in (-1, 10**30):
            assert f"here: {name} is {wrong}; expected " in complaint(fields | {name: wrong})


@pytest.mark.parametrize("name", [["GPT2LMHeadModel"], [], None, "LlamaForCausalLM", ["LlamaForCausalLM", "Other"]])
def test_unknown_architectures_are_refused_with_the_known(name: object) -> None:
    with pytest.raises(InputError, match=r"here: architectures is .*; expected one of Llama.*") as caught:
        transformer(LLAMA | {"architectures": name}, source="here")
    assert all(known in str(caught.value) for known in ARCHITECTURES)


@pytest.mark.parametrize("values", [[], 7, None, "text"])
def test_a_config_is_an_object(values: object) -> None:
    with pytest.raises(InputError, match="here: expected a JSON object"):
        transformer(values, source="here")


def test_heads_must_divide() -> None:
    with pytest.raises(
        InputError, match="num_key_value_heads is 3; expected a divisor of num_attention_heads, which is 8"
    ):
        read("LlamaForCausalLM", num_key_value_heads=3)
    with pytest.raises(InputError, match="num_attention_heads is 10; expected a divisor of hidden_size, which is 64"):
        read("LlamaForCausalLM", num_attention_heads=10, num_key_value_heads=2)
    assert attention(read("LlamaForCausalLM", num_attention_heads=10, head_dim=16)).head_dim == 16


def test_kv_heads_default_to_heads() -> None:
    assert attention(read("LlamaForCausalLM", num_key_value_heads=None)).kv_heads == 8


def test_more_experts_per_token_than_experts_are_refused() -> None:
    with pytest.raises(InputError, match="num_experts_per_tok is 5; expected at most num_local_experts, which is 4"):
        read("MixtralForCausalLM", **MIXTURE | {"num_experts_per_tok": 5})


@pytest.mark.parametrize(
    ("architecture", "fields", "expected"),
    [
        ("LlamaForCausalLM", {"sliding_window": 8}, "ffffff"),
        ("MistralForCausalLM", {"sliding_window": 8}, "llllll"),
        ("MistralForCausalLM", {"sliding_window": None}, "ffffff"),
        ("Phi3ForCausalLM", {"sliding_window": 8}, "llllll"),
        ("Gemma2ForCausalLM", {"sliding_window": 8}, "lflflf"),
        ("Gemma3ForCausalLM", {"sliding_window": 8}, "lllllf"),
        ("Gemma3ForCausalLM", {"sliding_window": 8, "sliding_window_pattern": 2}, "lflflf"),
        ("Cohere2ForCausalLM", {"sliding_window": 8}, "lllfll"),
        ("GptOssForCausalLM", {"sliding_window": 8} | MIXTURE, "lflflf"),
        ("GptOssForCausalLM", {"sliding_window": 8, "layer_types": ["full_attention"] * 6} | MIXTURE, "ffffff"),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": False, "max_window_layers": 2}, "ffffff"),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 4}, "ffffll"),
        ("Qwen3ForCausalLM", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 0}, "llllll"),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 9}, "ffffff"),
    ],
)
def test_sliding_windows(architecture: str, fields: dict[str, Any], expected: str) -> None:
    model = read(architecture, **fields)
    assert windows(model) == [8 if kind == "l" else 0 for kind in expected]


def test_a_sliding_model_needs_its_window() -> None:
    with pytest.raises(InputError, match="field 'sliding_window' is missing"):
        read("Gemma3ForCausalLM")


def test_full_layers_of_command_r7b_have_no_positions() -> None:
    model = read("Cohere2ForCausalLM", sliding_window=8)
    assert [layer.attention.rotary for layer in model.layers] == [8, 8, 8, 0, 8, 8]


@pytest.mark.parametrize(
    ("architecture", "fields", "rotary"),
    [
        ("LlamaForCausalLM", {}, 8),
        ("PhiForCausalLM", {}, 4),
        ("PhiForCausalLM", {"partial_rotary_factor": 0.25}, 2),
        ("Phi3ForCausalLM", {}, 8),
        ("Phi3ForCausalLM", {"partial_rotary_factor": 0.75}, 6),
        ("GPTNeoXForCausalLM", {}, 2),
        ("GPTNeoXForCausalLM", {"rotary_pct": 1.0}, 8),
        ("GPTNeoXForCausalLM", {"rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 1e4}}, 4),
        ("Phi3ForCausalLM", {"rope_parameters": {"rope_theta": 1e4}}, 8),
        ("FalconForCausalLM", {}, 8),
    ],
)
def test_rotary_elements_of_a_head(architecture: str, fields: dict[str, Any], rotary: int) -> None:
    assert attention(read(architecture, **fields)).rotary == rotary


@pytest.mark.parametrize(
    ("architecture", "fields", "block"),
    [
        ("LlamaForCausalLM", {}, "pre"),
        ("Gemma2ForCausalLM", {"sliding_window": 8}, "sandwich"),
        ("PhiForCausalLM", {}, "parallel"),
        ("CohereForCausalLM", {}, "parallel"),
        ("GPTNeoXForCausalLM", {}, "parallel_two_norms"),
        ("GPTNeoXForCausalLM", {"use_parallel_residual": False}, "pre"),
        ("FalconForCausalLM", {}, "parallel"),
        ("FalconForCausalLM", {"parallel_attn": False}, "pre"),
        ("FalconForCausalLM", {"new_decoder_architecture": True}, "parallel_two_norms"),
        ("FalconForCausalLM", {"new_decoder_architecture": True, "num_ln_in_parallel_attn": 1}, "parallel"),
        ("OPTForCausalLM", {"ffn_dim": 96, "max_position_embeddings": 32}, "pre"),
        ("OPTForCausalLM", {"ffn_dim": 96, "max_position_embeddings": 32, "do_layer_norm_before": False}, "post"),
    ],
)
def test_blocks(architecture: str, fields: dict[str, Any], block: str) -> None:
    assert {layer.block for layer in read(architecture, **fields).layers} == {block}


def test_falcon_heads() -> None:
    assert attention(read("FalconForCausalLM")).kv_heads == 1
    assert attention(read("FalconForCausalLM", multi_query=False)).kv_heads == 8
    assert attention(read("FalconForCausalLM", new_decoder_architecture=True, num_kv_heads=4)).kv_heads == 4
    with pytest.raises(InputError, match="alibi is True; expected false"):
        read("FalconForCausalLM", alibi=True)


def test_soft_capping_of_gemma2_is_switched_off_by_null() -> None:
    on = read("Gemma2ForCausalLM", sliding_window=8)
    off = read("Gemma2ForCausalLM", sliding_window=8, attn_logit_softcapping=None, final_logit_softcapping=None)
    assert (attention(on).softcap, on.softcap, attention(off).softcap, off.softcap) == (True, True, False, False)


def test_gemma3_fills_in_what_its_multimodal_files_leave_out() -> None:
    """text_config of google/gemma-3-4b-it names neither heads nor vocabulary."""
    text = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
    model = transformer({"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text}, source="here")
    heads = attention(model)
    assert (heads.heads, heads.kv_heads, heads.head_dim, model.vocabulary) == (8, 4, 256, 262208)
    assert windows(model).count(0) == 5


def test_the_experts_of_qwen_go_by_two_names() -> None:
    one = read("Qwen3MoeForCausalLM", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
    assert one == read("Qwen3MoeForCausalLM", **MIXTURE)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "eeeeee"),
        ({"decoder_sparse_step": 2}, "dedede"),
        ({"decoder_sparse_step": 3, "mlp_only_layers": [5]}, "ddeddd"),
        ({"mlp_only_layers": [0, 3]}, "deedee"),
    ],
)
def test_dense_layers_among_the_experts_of_qwen(fields: dict[str, Any], expected: str) -> None:
    model = read("Qwen3MoeForCausalLM", **MIXTURE | fields)
    assert "".join("e" if isinstance(layer.mlp, Mixture) else "d" for layer in model.layers) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "eeeeee"),
        ({"first_k_dense_replace": 2}, "ddeeee"),
        ({"first_k_dense_replace": 9}, "dddddd"),
        ({"first_k_dense_replace": 1, "moe_layer_freq": 2}, "ddeded"),
    ],
)
def test_first_layers_of_deepseek_are_dense(fields: dict[str, Any], expected: str) -> None:
    model = read("DeepseekV2ForCausalLM", **MIXTURE | LATENT | fields)
    assert "".join("e" if isinstance(layer.mlp, Mixture) else "d" for layer in model.layers) == expected


def test_deepseek_layers() -> None:
    layer = read("DeepseekV3ForCausalLM", **MIXTURE | LATENT).layers[0]
    assert layer.attention == LatentAttention(
        heads=8, head_dim=12, rotary=4, value_dim=10, kv_rank=16, query_rank=24, bias=False
    )
    assert layer.mlp == Mixture(
        experts=4, experts_per_token=2, expert=Mlp(width=32), shared=Mlp(width=64), router_bias=True
    )
    plain = read("DeepseekV2ForCausalLM", **MIXTURE | LATENT | {"n_shared_experts": None, "q_lora_rank": None})
    assert isinstance(plain.layers[0].mlp, Mixture)
    assert plain.layers[0].mlp.shared is None
    assert not plain.layers[0].mlp.router_bias


def test_attention_of_gpt_oss_has_sinks() -> None:
    heads = attention(read("GptOssForCausalLM", sliding_window=8, **MIXTURE))
    assert heads.sinks
    assert heads.qkv_bias
    assert heads.out_bias


@given(st.sampled_from([row["config"] for row in TINY]), st.data())
def test_hostile_fields_give_a_model_or_an_input_error(config: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(config)))
    huge = st.integers(-(2**40), 2**40)
    value = data.draw(huge | st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.lists(huge, max_size=3))
    assert len(complaint(config | {field: value})) < 1200
