"""From a config.json to a transformer: one reader per architecture.

Field names, and the defaults of fields that published files leave out, are those of the configuration classes in
Hugging Face transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwexplore.errors import InputError
from hwexplore.workloads.architectures import dense, mixtures, parallel
from hwexplore.workloads.config import Config
from hwexplore.workloads.transformer import Transformer

__all__ = ["ARCHITECTURES", "transformer"]

Reader = Callable[[Config], Transformer]


def _text(reader: Reader) -> Reader:
    """The text part of a multimodal model."""
    return lambda config: reader(config.nested("text_config"))


ARCHITECTURES: Mapping[str, Reader] = {
    "LlamaForCausalLM": dense.llama,
    "MistralForCausalLM": dense.mistral,
    "Mistral3ForConditionalGeneration": _text(dense.mistral),
    "MixtralForCausalLM": mixtures.mixtral,
    "Qwen2ForCausalLM": dense.qwen2,
    "Qwen2MoeForCausalLM": mixtures.qwen2_moe,
    "Qwen3ForCausalLM": dense.qwen3,
    "Qwen3MoeForCausalLM": mixtures.qwen3_moe,
    "DeepseekV2ForCausalLM": mixtures.deepseek2,
    "DeepseekV3ForCausalLM": mixtures.deepseek3,
    "GemmaForCausalLM": dense.gemma,
    "Gemma2ForCausalLM": dense.gemma2,
    "Gemma3ForCausalLM": dense.gemma3,
    "Gemma3ForConditionalGeneration": _text(dense.gemma3),
    "PhiForCausalLM": parallel.phi,
    "Phi3ForCausalLM": dense.phi3,
    "PhiMoEForCausalLM": mixtures.phi_moe,
    "PhimoeForCausalLM": mixtures.phi_moe,
    "OPTForCausalLM": dense.opt,
    "FalconForCausalLM": parallel.falcon,
    "GPTJForCausalLM": parallel.gptj,
    "GPTNeoXForCausalLM": parallel.gpt_neox,
    "CohereForCausalLM": parallel.cohere,
    "Cohere2ForCausalLM": parallel.cohere2,
    "GptOssForCausalLM": mixtures.gpt_oss,
    "BitnetForCausalLM": dense.bitnet,
    "BitNetForCausalLM": dense.bitnet,
}


def transformer(values: object, *, source: str) -> Transformer:
    """The transformer that the fields of a config.json describe; `source` names it in errors.

    Raises InputError for an unknown architecture, a missing field or an impossible size.
    """
    if not isinstance(values, dict):
        raise InputError(f"{source}: expected a JSON object with the fields of a config.json, not {values!r:.40}.")
    config = Config(source=source, values=values)
    match values.get("architectures"):
        case [str(name)] if name in ARCHITECTURES:
            return ARCHITECTURES[name](config)
        case _:
            raise config.error("architectures", f"one of {', '.join(ARCHITECTURES)}")
