"""Hugging Face `config.json` to transformer dimensions, one reader per architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.transformer import Transformer

__all__ = ["ARCHITECTURES", "MAX_SIZE", "transformer"]

MAX_SIZE = 2**31 - 1
OPT_POSITION_OFFSET = 2
"""Rows of OPT's position table before the first position (fairseq's padding convention)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A config.json with typed access; every error names the source and the field."""

    source: str
    values: Mapping[str, Any]

    def size(self, name: str, default: int | None = None) -> int:
        """A positive integer; a missing or null field takes the default, if there is one."""
        value = self.values.get(name)
        value = default if value is None else value
        if value is None:
            raise InputError(f"{self.source}: field {name!r} is missing; expected a positive integer.")
        if type(value) is not int or not 1 <= value <= MAX_SIZE:
            raise InputError(f"{self.source}: {name} is {value!r}; expected a positive integer below 2**31.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(name, default)
        if type(value) is not bool:
            raise InputError(f"{self.source}: {name} is {value!r}; expected true or false.")
        return value

    def part(self, name: str, whole: str, default: int | None = None) -> int:
        """A size that divides the size `whole`."""
        value, total = self.size(name, default), self.size(whole)
        if total % value:
            raise InputError(f"{self.source}: {name} is {value}; expected a divisor of {whole}, which is {total}.")
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None


def _decoder(config: Config, *, tied: bool = False) -> Transformer:
    hidden = config.size("hidden_size")
    heads = config.size("num_attention_heads")
    head_dim = (
        config.size("head_dim")
        if config.has("head_dim")
        else hidden // config.part("num_attention_heads", "hidden_size")
    )
    return Transformer(
        hidden=hidden,
        intermediate=config.size("intermediate_size"),
        layers=config.size("num_hidden_layers"),
        heads=heads,
        kv_heads=config.part("num_key_value_heads", "num_attention_heads", default=heads),
        head_dim=head_dim,
        vocabulary=config.size("vocab_size"),
        embedding=hidden,
        tied=config.flag("tie_word_embeddings", tied),
    )


def _llama(config: Config) -> Transformer:
    bias = config.flag("attention_bias", False)
    return replace(_decoder(config), qkv_bias=bias, out_bias=bias, mlp_bias=config.flag("mlp_bias", False))


def _mistral(config: Config) -> Transformer:
    model = _decoder(config)
    if not config.has("sliding_window"):
        return model
    return replace(model, window=config.size("sliding_window"), local_layers=model.layers)


def _mixtral(config: Config) -> Transformer:
    experts, chosen = config.size("num_local_experts"), config.size("num_experts_per_tok")
    if chosen > experts:
        raise InputError(
            f"{config.source}: num_experts_per_tok is {chosen}; expected at most num_local_experts, which is {experts}."
        )
    return replace(_mistral(config), experts=experts, experts_per_token=chosen)


def _qwen2(config: Config) -> Transformer:
    model = replace(_decoder(config), qkv_bias=True)
    if not config.flag("use_sliding_window", False):
        return model
    full = min(config.size("max_window_layers"), model.layers)
    return replace(model, window=config.size("sliding_window"), local_layers=model.layers - full)


def _gemma2(config: Config) -> Transformer:
    model = _decoder(config, tied=True)
    local = (model.layers + 1) // 2
    return replace(model, window=config.size("sliding_window"), local_layers=local, post_norms=True)


def _bitnet(config: Config) -> Transformer:
    return replace(_decoder(config), sub_norms=True)


def _opt(config: Config) -> Transformer:
    hidden, bias = config.size("hidden_size"), config.flag("enable_bias", True)
    heads = config.part("num_attention_heads", "hidden_size")
    return Transformer(
        hidden=hidden,
        intermediate=config.size("ffn_dim"),
        layers=config.size("num_hidden_layers"),
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        vocabulary=config.size("vocab_size"),
        embedding=config.size("word_embed_proj_dim", default=hidden),
        tied=config.flag("tie_word_embeddings", True),
        positions=config.size("max_position_embeddings"),
        spare_positions=OPT_POSITION_OFFSET,
        qkv_bias=bias,
        out_bias=bias,
        mlp_bias=bias,
        gated=False,
        norm_vectors=2 if config.flag("layer_norm_elementwise_affine", True) else 0,
        final_norm=config.flag("do_layer_norm_before", True) and not config.flag("_remove_final_layer_norm", False),
    )


ARCHITECTURES: Mapping[str, Callable[[Config], Transformer]] = {
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": _mistral,
    "MixtralForCausalLM": _mixtral,
    "Qwen2ForCausalLM": _qwen2,
    "Gemma2ForCausalLM": _gemma2,
    "OPTForCausalLM": _opt,
    "BitnetForCausalLM": _bitnet,
    "BitNetForCausalLM": _bitnet,
}


def transformer(values: object, *, source: str) -> Transformer:
    """The transformer that the fields of a config.json describe; `source` names it in errors.

    Raises InputError for an unknown architecture, a missing field or an impossible size.
    """
    if not isinstance(values, dict):
        raise InputError(f"{source}: expected a JSON object with the fields of a config.json, not {values!r:.40}.")
    match values.get("architectures"):
        case [str(name)] if name in ARCHITECTURES:
            return ARCHITECTURES[name](Config(source=source, values=values))
        case other:
            raise InputError(f"{source}: architectures is {other!r}; expected one of {', '.join(ARCHITECTURES)}.")
