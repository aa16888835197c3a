"""Attention, then a dense MLP: Llama and its kin, Gemma, BitNet, OPT."""

from __future__ import annotations

from dataclasses import replace

from hwexplore.workloads.architectures.common import (
    attention,
    everywhere,
    layers,
    mlp,
    network,
    normed,
    rotary_factor,
    sliding,
)
from hwexplore.workloads.attention import Attention
from hwexplore.workloads.config import Config
from hwexplore.workloads.mlp import Mlp
from hwexplore.workloads.transformer import Transformer

__all__ = ["bitnet", "gemma", "gemma2", "gemma3", "llama", "mistral", "opt", "phi3", "qwen2", "qwen3", "qwen_sliding"]

OPT_POSITION_OFFSET = 2
"""Rows of OPT's position table before the first position (fairseq's padding convention)."""


def llama(config: Config) -> Transformer:
    """LlamaForCausalLM."""
    bias = config.flag("attention_bias", False)
    heads = attention(config, qkv_bias=bias, out_bias=bias)
    part = mlp(config, bias=config.flag("mlp_bias", False))
    return network(config, layers(everywhere(config, heads), part))


def mistral(config: Config) -> Transformer:
    """MistralForCausalLM: a sliding window, if any, in every layer."""
    return network(config, layers(sliding(config, attention(config)), mlp(config)))


def phi3(config: Config) -> Transformer:
    """Phi3ForCausalLM (Phi-3 mini and medium, Phi-4): a sliding window, if any, in every layer."""
    heads = attention(config, rotary_factor=rotary_factor(config, "partial_rotary_factor", 1.0))
    return network(config, layers(sliding(config, heads), mlp(config)))


def qwen_sliding(config: Config, heads: Attention) -> tuple[Attention, ...]:
    """The layers from `max_window_layers` on slide, if `use_sliding_window` says so."""
    slides = config.flag("use_sliding_window", False)
    first = config.index("max_window_layers") if slides else 0
    return sliding(config, heads, lambda index: slides and index >= first)


def qwen2(config: Config) -> Transformer:
    """Qwen2ForCausalLM (Qwen 2 and 2.5): biases on queries, keys and values."""
    return network(config, layers(qwen_sliding(config, attention(config, qkv_bias=True)), mlp(config)))


def qwen3(config: Config) -> Transformer:
    """Qwen3ForCausalLM: norms of queries and keys."""
    bias = config.flag("attention_bias", False)
    heads = normed(attention(config, qkv_bias=bias, out_bias=bias))
    return network(config, layers(qwen_sliding(config, heads), mlp(config)))


def gemma(config: Config) -> Transformer:
    """GemmaForCausalLM."""
    return network(config, layers(everywhere(config, attention(config)), mlp(config)), tied=True)


def gemma2(config: Config) -> Transformer:
    """Gemma2ForCausalLM: every other layer slides, from the first on; scores and logits are soft-capped."""
    heads = attention(config, softcap=config.number("attn_logit_softcapping", 50.0) is not None)
    stack = layers(sliding(config, heads, lambda index: index % 2 == 0), mlp(config), "sandwich")
    return network(config, stack, tied=True, softcap=config.number("final_logit_softcapping", 30.0) is not None)


def gemma3(config: Config) -> Transformer:
    """Gemma3ForCausalLM: five layers that slide, then one that does not; norms of queries and keys.

    The published files of the multimodal ones leave out what is a default of Gemma3TextConfig.
    """
    config = config.defaulting(vocab_size=262208, num_attention_heads=8, num_key_value_heads=4, head_dim=256)
    pattern = config.size("sliding_window_pattern", 6)
    attentions = sliding(config, normed(attention(config)), lambda index: (index + 1) % pattern != 0)
    return network(config, layers(attentions, mlp(config), "sandwich"), tied=True)


def bitnet(config: Config) -> Transformer:
    """BitNetForCausalLM: norms before the second matrices of attention and MLP."""
    return network(config, layers(everywhere(config, attention(config, sub_norm=True)), mlp(config, sub_norm=True)))


def opt(config: Config) -> Transformer:
    """OPTForCausalLM: learned positions; OPT-350m has norms after the additions and projects its embeddings."""
    hidden, bias = config.size("hidden_size"), config.flag("enable_bias", True)
    heads, before = config.part("num_attention_heads", "hidden_size"), config.flag("do_layer_norm_before", True)
    equal = Attention(heads=heads, kv_heads=heads, head_dim=hidden // heads, rotary=0, qkv_bias=bias, out_bias=bias)
    part = Mlp(width=config.size("ffn_dim"), gated=False, bias=bias)
    stack = layers(everywhere(config, equal), part, "pre" if before else "post")
    return replace(
        network(config, stack, tied=True),
        embedding=config.size("word_embed_proj_dim", hidden),
        positions=config.size("max_position_embeddings"),
        spare_positions=OPT_POSITION_OFFSET,
        norm_vectors=2 if config.flag("layer_norm_elementwise_affine", True) else 0,
        final_norm=before and not config.flag("_remove_final_layer_norm", False),
    )
