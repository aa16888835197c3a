"""Parts of a transformer under the names that most architectures share in their config.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from hwexplore.workloads.attention import Attention
from hwexplore.workloads.config import Config
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.transformer import Block, Layer, Transformer

__all__ = ["attention", "everywhere", "layers", "mixture", "mlp", "network", "normed", "rotary_factor", "sliding"]


def attention(config: Config, *, rotary_factor: float = 1.0, **more: Any) -> Attention:
    """Grouped heads, of `head_dim` or an even share of `hidden_size`; `rotary_factor` of each is rotated."""
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    if config.has("head_dim"):
        head_dim = config.size("head_dim")
    else:
        head_dim = hidden // config.part("num_attention_heads", "hidden_size")
    return Attention(
        heads=heads,
        kv_heads=config.part("num_key_value_heads", "num_attention_heads", default=heads),
        head_dim=head_dim,
        rotary=int(head_dim * rotary_factor),
        **more,
    )


def rotary_factor(config: Config, name: str, default: float) -> float:
    """The part of each head that is rotated: the field `name`, or, as transformers 5 writes, in `rope_parameters`."""
    if config.has("rope_parameters"):
        return config.nested("rope_parameters").fraction("partial_rotary_factor", default)
    return config.fraction(name, default)


def normed(heads: Attention) -> Attention:
    """With a gain for queries and one for keys that all heads share."""
    return replace(heads, qk_norm_parameters=2 * heads.head_dim)


def everywhere(config: Config, heads: Attention) -> tuple[Attention, ...]:
    """The same attention in every layer."""
    return (heads,) * config.layers("num_hidden_layers")


def sliding(config: Config, heads: Attention, slides: Callable[[int], bool] | None = None) -> tuple[Attention, ...]:
    """Attention by layer: over the last `sliding_window` tokens where `layer_types` says so, or, in files without
    that list, where `slides` does (layers count from 0; everywhere by default if the window is not null)."""
    by_index = slides or (lambda _: config.has("sliding_window"))
    local = config.sliding_layers(by_index)
    windowed = replace(heads, window=config.size("sliding_window")) if any(local) else heads
    return tuple(windowed if slide else heads for slide in local)


def mlp(config: Config, **more: Any) -> Mlp:
    """The dense MLP."""
    return Mlp(width=config.size("intermediate_size"), **more)


def mixture(config: Config, experts: str, *, width: str = "intermediate_size", bias: bool = False) -> Mixture:
    """A mixture of experts: `experts` and `width` are the names of their number and width."""
    return Mixture(
        experts=config.size(experts),
        experts_per_token=config.at_most("num_experts_per_tok", experts),
        expert=Mlp(width=config.size(width), bias=bias),
        router_bias=bias,
    )


def layers(attentions: Iterable[Attention], part: Mlp | Mixture, block: Block = "pre") -> tuple[Layer, ...]:
    """Layers that differ in attention only."""
    return tuple(Layer(attention=heads, mlp=part, block=block) for heads in attentions)


def network(config: Config, stack: tuple[Layer, ...], *, tied: bool = False, **more: Any) -> Transformer:
    """Layers between embedding and lm_head, which are `tied` if the file does not say."""
    hidden = config.size("hidden_size")
    return Transformer(
        hidden=hidden,
        vocabulary=config.size("vocab_size"),
        embedding=hidden,
        tied=config.flag("tie_word_embeddings", tied),
        layers=stack,
        **more,
    )
