"""Attention and MLP side by side on one residual stream: GPT-J, GPT-NeoX, Phi, Falcon, Cohere."""

from __future__ import annotations

from dataclasses import replace

from hwexplore.workloads.architectures.common import (
    attention,
    everywhere,
    layers,
    mlp,
    network,
    rotary_factor,
    sliding,
)
from hwexplore.workloads.attention import Attention
from hwexplore.workloads.config import Config
from hwexplore.workloads.mlp import Mlp
from hwexplore.workloads.transformer import Block, Transformer

__all__ = ["cohere", "cohere2", "falcon", "gpt_neox", "gptj", "phi"]


def gptj(config: Config) -> Transformer:
    """GPTJForCausalLM: rotates `rotary_dim` elements of a head; lm_head has a bias."""
    hidden, heads = config.size("n_embd"), config.part("n_head", "n_embd")
    head_dim = hidden // heads
    rotary = config.size("rotary_dim", head_dim, limit=head_dim)
    equal = Attention(heads=heads, kv_heads=heads, head_dim=head_dim, rotary=rotary)
    part = Mlp(width=config.size("n_inner", 4 * hidden), gated=False, bias=True)
    return Transformer(
        hidden=hidden,
        vocabulary=config.size("vocab_size"),
        embedding=hidden,
        tied=config.flag("tie_word_embeddings", False),
        layers=layers((equal,) * config.layers("n_layer"), part, "parallel"),
        norm_vectors=2,
        head_bias=True,
    )


def gpt_neox(config: Config) -> Transformer:
    """GPTNeoXForCausalLM (GPT-NeoX, Pythia): attention and MLP have a norm each."""
    bias = config.flag("attention_bias", True)
    rotary = rotary_factor(config, "rotary_pct", 0.25)
    heads = attention(config, rotary_factor=rotary, qkv_bias=bias, out_bias=bias)
    block: Block = "parallel_two_norms" if config.flag("use_parallel_residual", True) else "pre"
    stack = layers(everywhere(config, heads), mlp(config, gated=False, bias=True), block)
    return network(config, stack, norm_vectors=2)


def phi(config: Config) -> Transformer:
    """PhiForCausalLM (Phi-1.5, Phi-2): lm_head has a bias; optional norms of queries and keys with gain and bias."""
    rotary = rotary_factor(config, "partial_rotary_factor", 0.5)
    heads = attention(config, rotary_factor=rotary, qkv_bias=True, out_bias=True)
    if config.flag("qk_layernorm", False):
        heads = replace(heads, qk_norm_parameters=4 * heads.head_dim)
    stack = layers(everywhere(config, heads), mlp(config, gated=False, bias=True), "parallel")
    return network(config, stack, norm_vectors=2, head_bias=True)


def falcon(config: Config) -> Transformer:
    """FalconForCausalLM: multi-query (7B); grouped heads and mostly two norms in the new decoder architecture."""
    if config.flag("alibi", False):
        raise config.error("alibi", "false, as linear position biases are not modelled")
    hidden, heads = config.size("hidden_size"), config.part("num_attention_heads", "hidden_size")
    bias, head_dim = config.flag("bias", False), hidden // heads
    block: Block
    if config.flag("new_decoder_architecture", False):
        kv_heads = config.part("num_kv_heads", "num_attention_heads", heads)
        norms = config.size("num_ln_in_parallel_attn", 2, limit=2)
        block = "parallel" if norms == 1 else "parallel_two_norms"
    else:
        kv_heads = 1 if config.flag("multi_query", True) else heads
        block = "parallel" if config.flag("parallel_attn", True) else "pre"
    grouped = Attention(
        heads=heads, kv_heads=kv_heads, head_dim=head_dim, rotary=head_dim, qkv_bias=bias, out_bias=bias
    )
    part = Mlp(width=config.size("ffn_hidden_size", 4 * hidden), gated=False, bias=bias)
    return network(config, layers(everywhere(config, grouped), part, block), tied=True, norm_vectors=2)


def _cohere_attention(config: Config) -> Attention:
    bias = config.flag("attention_bias", False)
    return attention(config, qkv_bias=bias, out_bias=bias)


def cohere(config: Config) -> Transformer:
    """CohereForCausalLM (Command R): norms without bias; Command R+ has a gain per element of all queries and keys."""
    heads = _cohere_attention(config)
    if config.flag("use_qk_norm", False):
        heads = replace(heads, qk_norm_parameters=(heads.heads + heads.kv_heads) * heads.head_dim)
    return network(config, layers(everywhere(config, heads), mlp(config), "parallel"), tied=True)


def cohere2(config: Config) -> Transformer:
    """Cohere2ForCausalLM (Command R7B): three layers that slide, then one without window and position encoding."""
    pattern = config.size("sliding_window_pattern", 4)
    attentions = sliding(config, _cohere_attention(config), lambda index: (index + 1) % pattern != 0)
    unrotated = (heads if heads.window else replace(heads, rotary=0) for heads in attentions)
    return network(config, layers(unrotated, mlp(config), "parallel"), tied=True)
