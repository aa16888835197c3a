"""Mixtures of experts: Mixtral, Phi-3.5-MoE, Qwen MoE, DeepSeek, GPT-OSS."""

from __future__ import annotations

from dataclasses import replace

from hwexplore.workloads.architectures.common import attention, layers, mixture, mlp, network, normed, sliding
from hwexplore.workloads.architectures.dense import qwen_sliding
from hwexplore.workloads.attention import Attention, LatentAttention
from hwexplore.workloads.config import Config
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.transformer import Layer, Transformer

__all__ = ["deepseek2", "deepseek3", "gpt_oss", "mixtral", "phi_moe", "qwen2_moe", "qwen3_moe"]


def mixtral(config: Config) -> Transformer:
    """MixtralForCausalLM."""
    return network(config, layers(sliding(config, attention(config)), mixture(config, "num_local_experts")))


def phi_moe(config: Config) -> Transformer:
    """PhiMoEForCausalLM (Phi-3.5-MoE): LayerNorm and biases in attention and lm_head."""
    bias = config.flag("attention_bias", False)
    heads = attention(config, qkv_bias=bias, out_bias=bias)
    stack = layers(sliding(config, heads), mixture(config, "num_local_experts"))
    return network(config, stack, norm_vectors=2, head_bias=config.flag("lm_head_bias", False))


def gpt_oss(config: Config) -> Transformer:
    """GptOssForCausalLM: attention sinks, biases everywhere, every other layer slides, from the first on."""
    bias = config.flag("attention_bias", True)
    heads = attention(config, qkv_bias=bias, out_bias=bias, sinks=True)
    attentions = sliding(config, heads, lambda index: index % 2 == 0)
    return network(config, layers(attentions, mixture(config, "num_local_experts", bias=True)))


def _qwen(config: Config, heads: Attention, experts: Mixture) -> Transformer:
    """A mixture in every `decoder_sparse_step`th layer that `mlp_only_layers` does not list, a dense MLP elsewhere."""
    step, listed = config.size("decoder_sparse_step", 1), config.indices("mlp_only_layers")
    dense = mlp(config)
    stack = tuple(
        Layer(attention=each, mlp=dense if index in listed or (index + 1) % step else experts)
        for index, each in enumerate(qwen_sliding(config, heads))
    )
    return network(config, stack)


def qwen2_moe(config: Config) -> Transformer:
    """Qwen2MoeForCausalLM: biases on queries, keys and values; a gated shared expert."""
    shared = Mlp(width=config.size("shared_expert_intermediate_size"))
    experts = replace(mixture(config, "num_experts", width="moe_intermediate_size"), shared=shared, shared_gate=True)
    return _qwen(config, attention(config, qkv_bias=True), experts)


def qwen3_moe(config: Config) -> Transformer:
    """Qwen3MoeForCausalLM: norms of queries and keys. transformers 5 writes num_experts as num_local_experts."""
    bias = config.flag("attention_bias", False)
    heads = normed(attention(config, qkv_bias=bias, out_bias=bias))
    experts = "num_local_experts" if config.has("num_local_experts") else "num_experts"
    return _qwen(config, heads, mixture(config, experts, width="moe_intermediate_size"))


def _deepseek(config: Config, *, router_bias: bool) -> Transformer:
    latent = LatentAttention(
        heads=config.size("num_attention_heads"),
        head_dim=config.size("qk_nope_head_dim"),
        rotary=config.size("qk_rope_head_dim"),
        value_dim=config.size("v_head_dim"),
        kv_rank=config.size("kv_lora_rank"),
        query_rank=config.size("q_lora_rank") if config.has("q_lora_rank") else 0,
        bias=config.flag("attention_bias", False),
    )
    shared = config.index("n_shared_experts", 0) * config.size("moe_intermediate_size")
    experts = replace(
        mixture(config, "n_routed_experts", width="moe_intermediate_size"),
        shared=Mlp(width=shared) if shared else None,
        router_bias=router_bias,
    )
    dense, sparse = Layer(attention=latent, mlp=mlp(config)), Layer(attention=latent, mlp=experts)
    first, step = config.index("first_k_dense_replace", 0), config.size("moe_layer_freq", 1)
    indices = range(config.layers("num_hidden_layers"))
    return network(config, tuple(dense if index < first or index % step else sparse for index in indices))


def deepseek2(config: Config) -> Transformer:
    """DeepseekV2ForCausalLM: latent attention, shared experts, dense MLPs in the first layers."""
    return _deepseek(config, router_bias=False)


def deepseek3(config: Config) -> Transformer:
    """DeepseekV3ForCausalLM (V3, R1): a bias per expert balances the load (arXiv 2412.19437, section 2.1.2).

    Without the layer for multi-token prediction that the published weights carry.
    """
    return _deepseek(config, router_bias=True)
