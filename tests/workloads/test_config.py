from __future__ import annotations

from typing import Any

import pytest

from hwexplore.errors import InputError
from hwexplore.workloads.config import ARCHITECTURES, transformer

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
OPT = {
    "architectures": ["OPTForCausalLM"],
    "hidden_size": 64,
    "ffn_dim": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "max_position_embeddings": 32,
    "vocab_size": 100,
}


def decoder(
    architecture: str,
    hidden: int,
    intermediate: int,
    layers: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    **more: Any,
) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocabulary,
        **more,
    }


def opt(hidden: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": hidden, "ffn_dim": 4 * hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
    return OPT | sizes | {"max_position_embeddings": 2048, "vocab_size": 50272} | more


@pytest.mark.parametrize(
    ("config", "published"),
    [
        pytest.param(decoder("LlamaForCausalLM", 2048, 5632, 22, 32, 4, 32000), 1_100_048_384, id="TinyLlama-1.1B"),
        pytest.param(
            decoder("LlamaForCausalLM", 16384, 53248, 126, 128, 8, 128256), 405_853_388_800, id="Llama-3.1-405B"
        ),
        pytest.param(
            decoder("Qwen2ForCausalLM", 896, 4864, 24, 14, 2, 151936, tie_word_embeddings=True),
            494_032_768,
            id="Qwen2.5-0.5B",
        ),
        pytest.param(decoder("Qwen2ForCausalLM", 5120, 27648, 64, 40, 8, 152064), 32_763_876_352, id="Qwen2.5-32B"),
        pytest.param(
            decoder("Gemma2ForCausalLM", 3584, 14336, 42, 16, 8, 256000, head_dim=256, sliding_window=4096),
            9_241_705_984,
            id="gemma-2-9b",
        ),
        pytest.param(
            decoder("BitNetForCausalLM", 2560, 6912, 30, 20, 5, 128256, tie_word_embeddings=True),
            2_412_820_480,
            id="bitnet-b1.58-2B-4T",
        ),
        pytest.param(opt(768, 12, 12), 125_239_296, id="opt-125m"),
        pytest.param(
            opt(1024, 24, 16, word_embed_proj_dim=512, do_layer_norm_before=False), 331_196_416, id="opt-350m"
        ),
    ],
)
def test_parameters_are_the_published_total(config: dict[str, Any], published: int) -> None:
    assert transformer(config, source="test").parameters == published


@pytest.mark.parametrize("field", [field for field in LLAMA if field not in ("architectures", "num_key_value_heads")])
def test_a_missing_field_is_named(field: str) -> None:
    config = {key: value for key, value in LLAMA.items() if key != field}
    with pytest.raises(InputError, match=rf"^here: field '{field}' is missing; expected a positive integer\.$"):
        transformer(config, source="here")


@pytest.mark.parametrize("field", [field for field in LLAMA if field != "architectures"])
@pytest.mark.parametrize("value", [0, -4, 4096.0, float("nan"), float("inf"), "64", True, [64], 2**31])
def test_impossible_sizes_are_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^here: {field} is .*; expected a positive integer below 2\*\*31\.$"):
        transformer(LLAMA | {field: value}, source="here")


def test_heads_must_divide() -> None:
    with pytest.raises(
        InputError, match="num_key_value_heads is 3; expected a divisor of num_attention_heads, which is 8"
    ):
        transformer(LLAMA | {"num_key_value_heads": 3}, source="here")
    with pytest.raises(InputError, match="num_attention_heads is 10; expected a divisor of hidden_size, which is 64"):
        transformer(LLAMA | {"num_attention_heads": 10, "num_key_value_heads": 2}, source="here")
    assert transformer(LLAMA | {"num_attention_heads": 10, "head_dim": 16}, source="here").head_dim == 16


def test_kv_heads_default_to_heads() -> None:
    assert transformer(LLAMA | {"num_key_value_heads": None}, source="here").kv_heads == 8


def test_flags_must_be_booleans() -> None:
    with pytest.raises(InputError, match="tie_word_embeddings is 1; expected true or false"):
        transformer(LLAMA | {"tie_word_embeddings": 1}, source="here")


@pytest.mark.parametrize("name", [["GPT2LMHeadModel"], [], None, "LlamaForCausalLM", ["LlamaForCausalLM", "Other"]])
def test_unknown_architectures_are_refused_with_the_known(name: object) -> None:
    with pytest.raises(InputError, match=r"here: architectures is .*; expected one of Llama.*") as caught:
        transformer(LLAMA | {"architectures": name}, source="here")
    assert all(known in str(caught.value) for known in ARCHITECTURES)


@pytest.mark.parametrize("values", [[], 7, None, "text"])
def test_a_config_is_an_object(values: object) -> None:
    with pytest.raises(InputError, match="here: expected a JSON object"):
        transformer(values, source="here")


def test_biases() -> None:
    """Each switch adds its vectors: q, k, v and output projections, then the MLP's three."""
    plain = transformer(LLAMA, source="here").parameters
    attention = transformer(LLAMA | {"attention_bias": True}, source="here").parameters
    both = transformer(LLAMA | {"attention_bias": True, "mlp_bias": True}, source="here").parameters
    assert attention - plain == 2 * (64 + 16 + 16 + 64)
    assert both - attention == 2 * (96 + 96 + 64)


def test_opt_norms_without_parameters() -> None:
    affine = transformer(OPT, source="here").parameters
    plain = transformer(OPT | {"layer_norm_elementwise_affine": False}, source="here").parameters
    assert affine - plain == (2 * 2 + 1) * 2 * 64


def test_mixtral_experts() -> None:
    experts = LLAMA | {"architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2}
    model = transformer(experts, source="here")
    assert model.parameters - model.active_parameters == 2 * 2 * 3 * 64 * 96
    with pytest.raises(InputError, match="num_experts_per_tok is 5; expected at most num_local_experts, which is 4"):
        transformer(experts | {"num_experts_per_tok": 5}, source="here")


@pytest.mark.parametrize(
    ("architecture", "fields", "local_layers"),
    [
        ("MistralForCausalLM", {"sliding_window": 8}, 5),
        ("MistralForCausalLM", {"sliding_window": None}, 0),
        ("Gemma2ForCausalLM", {"sliding_window": 8}, 3),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": False, "max_window_layers": 2}, 0),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 2}, 3),
        ("Qwen2ForCausalLM", {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 9}, 0),
    ],
)
def test_sliding_windows(architecture: str, fields: dict[str, Any], local_layers: int) -> None:
    config = LLAMA | {"architectures": [architecture], "num_hidden_layers": 5} | fields
    model = transformer(config, source="here")
    assert model.local_layers == local_layers
    assert model.window == (8 if fields["sliding_window"] and (local_layers or model.window) else 0)
