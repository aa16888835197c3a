"""Llama-2-7B against LLM-Viewer's own table: 30 settings, both phases, every operator, exactly."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hwexplore.workloads import Policy, load

TABLE = pd.read_csv(Path(__file__).parents[1] / "data" / "llm_viewer_llama2_7b.csv")
SETTING = ["batch", "seq", "w_bit", "a_bit", "kv_bit", "phase"]
MEASURES = ["OPs", "load_weight", "load_act", "store_act", "load_kv_cache", "store_kv_cache"]
FORMATS = {4: "int4", 8: "int8", 16: "fp16"}
HIDDEN, INTERMEDIATE, HEAD_DIM = 4096, 11008, 128


def faults(batch: int) -> dict[tuple[str, str], float]:
    """What the tool gets wrong: the factor that puts its figure right. Nothing else may differ."""
    return {
        ("lm_head", "OPs"): 2,  # counts a multiply-add once
        ("lm_head", "load_act"): batch,  # forgets the batch
        ("lm_head", "store_act"): batch,
        ("mlp_act", "OPs"): INTERMEDIATE / HIDDEN,  # sized by the hidden size
        ("mlp_act", "load_act"): INTERMEDIATE / HIDDEN,
        ("mlp_act", "store_act"): INTERMEDIATE / HIDDEN,
        ("attn_add", "load_act"): 2,  # reads one of its two operands
        ("mlp_add", "load_act"): 2,
    }


def settings(flash: int) -> list[tuple[object, ...]]:
    return list(TABLE[TABLE.flash == flash][SETTING].drop_duplicates().itertuples(index=False, name=None))


def rows(setting: tuple[object, ...], flash: int) -> pd.DataFrame:
    selected = (TABLE[SETTING] == list(setting)).all(axis=1) & (TABLE.flash == flash)
    return TABLE[selected].set_index("op")[MEASURES].astype(float)


def ours(batch: int, seq: int, w_bit: int, a_bit: int, kv_bit: int, phase: str) -> pd.DataFrame:
    policy = Policy(weights=FORMATS[w_bit], activations=FORMATS[a_bit], kv_cache=FORMATS[kv_bit])
    frame = load("llama-2-7b", phase=phase, batch=batch, context=seq).to_frame(policy).set_index("name")
    reads_cache = frame.kind == "attention"
    return pd.DataFrame(
        {
            "OPs": 2 * frame.macs + frame.vector_ops,
            "load_weight": frame.weight_bytes,
            "load_act": frame.activation_bytes,
            "store_act": frame.output_bytes,
            "load_kv_cache": frame.kv_bytes.where(reads_cache, 0),
            "store_kv_cache": frame.kv_bytes.where(~reads_cache, 0),
        }
    )


def corrected(table: pd.DataFrame, batch: int) -> pd.DataFrame:
    table = table.copy()
    for (operator, measure), factor in faults(batch).items():
        table.loc[operator, measure] *= factor
    return table


def test_the_table_is_whole() -> None:
    assert len(settings(flash=0)) == len(settings(flash=1)) == 30
    assert len(TABLE) == 30 * (16 + 14)


@pytest.mark.parametrize("setting", settings(flash=0), ids=str)
def test_every_operator_agrees_but_for_the_named_faults(setting: tuple[object, ...]) -> None:
    mine = ours(*setting)
    theirs = rows(setting, flash=0)
    assert set(mine.index) - set(theirs.index) == {"embedding", "rotary", "final_norm"}
    pd.testing.assert_frame_equal(
        mine.loc[theirs.index], corrected(theirs, setting[0]), check_exact=True, check_names=False
    )


@pytest.mark.parametrize("setting", settings(flash=1), ids=str)
def test_fused_attention_is_the_sum_of_its_parts(setting: tuple[object, ...]) -> None:
    """FlashAttention's row: same operations, Q read once, K and V read once per tile of 128 query rows.

    Fault of the tool: it stores twice the S x S probabilities, which the fused kernel never writes, where the output
    of sv_matmul leaves the kernel.
    """
    mine = ours(*setting)
    table = rows(setting, flash=1)
    fused = table.loc["fused_attention"]
    parts = mine.loc[["qk_matmul", "softmax", "sv_matmul"]]
    tiles = max(1, setting[1] // HEAD_DIM) if setting[-1] == "prefill" else 1
    assert fused.OPs == parts.OPs.sum()
    assert fused.load_act == parts.load_act["qk_matmul"]
    assert fused.load_kv_cache == tiles * parts.load_kv_cache.sum()
    assert fused.store_act == 2 * parts.store_act["qk_matmul"]
    assert parts.store_act["sv_matmul"] == rows(setting, flash=0).store_act["sv_matmul"]
    rest = corrected(table.drop(index="fused_attention"), setting[0])
    pd.testing.assert_frame_equal(mine.loc[rest.index], rest, check_exact=True, check_names=False)
