from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.workloads import Policy, load, names
from hwexplore.workloads.architectures import transformer
from hwexplore.workloads.passes import Pass

ENTRIES = {
    file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8"))
    for file in files("hwexplore.models").joinpath("workloads").iterdir()
    if file.name.endswith(".json")
}
CATALOG = {name: entry for name, entry in ENTRIES.items() if "vision" not in entry}
OURS = {"charlm"}
"""Held against its checkpoint in tests/quality/networks."""
TOTALS = json.loads((Path(__file__).parents[1] / "data" / "transformers_totals.json").read_text(encoding="utf-8"))
FAMILIES = {
    *("llama-2", "llama-3", "llama-3.1", "llama-3.2", "llama-3.3", "qwen2.5", "qwen3", "mistral", "mistral-nemo"),
    *("mistral-small", "mistral-large", "mixtral", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "deepseek-r1"),
    *("gemma-2", "gemma-3", "phi-1.5", "phi-2", "phi-3", "phi-3.5-moe", "phi-4", "opt", "falcon", "falcon3", "bitnet"),
    *("smollm2", "gpt-oss", "gpt-j", "gpt-neox", "pythia", "command-r"),
}


def bounds(published: int | str) -> tuple[float, float]:
    """What lies within half a percent of the published number or rounds to it ("7.5 B": 7.45 to 7.55 billion)."""
    if isinstance(published, int):
        return published * 0.995, published * 1.005
    number, unit = published.split()
    assert unit == "B"
    half_digit = 0.5 / 10 ** len(number.partition(".")[2])
    slack = max(half_digit, 0.005 * float(number)) * 1e9
    return float(number) * 1e9 - slack, float(number) * 1e9 + slack


def test_names() -> None:
    assert names() == sorted(ENTRIES)
    assert len(CATALOG) >= 60
    assert [family for family in FAMILIES if not any(name.startswith(family) for name in CATALOG)] == []


@pytest.mark.parametrize("name", CATALOG)
def test_parameters_are_the_published_total(name: str) -> None:
    entry = CATALOG[name]
    assert {part.partition(":")[0] for part in entry["source"].split("; ")} >= {"config", "parameters"}
    low, high = bounds(entry["parameters"])
    assert low <= load(name).parameters <= high


@pytest.mark.parametrize("name", [name for name in CATALOG if name not in OURS])
def test_parameters_are_those_that_transformers_builds(name: str) -> None:
    """An int in the catalogue was published to the last digit; this holds every model to the last parameter."""
    assert load(name).parameters == TOTALS["catalog"][name]


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if "active_parameters" in entry])
def test_active_parameters_are_the_published_ones(name: str) -> None:
    """Some authors leave out the token embedding, of which one row takes part."""
    entry, workload = CATALOG[name], load(name)
    assert "active parameters:" in entry["source"]
    embedding = entry["config"]["vocab_size"] * entry["config"]["hidden_size"]
    low, high = bounds(entry["active_parameters"])
    assert low <= workload.active_parameters - embedding * entry.get("active_without_embedding", False) <= high
    assert workload.active_parameters < workload.parameters


def test_dense_models_use_all_parameters() -> None:
    dense = [name for name, entry in CATALOG.items() if "active_parameters" not in entry]
    for workload in map(load, dense):
        assert workload.active_parameters == workload.parameters


def test_mixtral_leaves_out_six_experts() -> None:
    workload = load("mixtral-8x7b")
    assert workload.active_parameters == workload.parameters - 6 * 32 * 3 * 4096 * 14336


@pytest.mark.parametrize("name", CATALOG)
def test_layers_are_folded(name: str) -> None:
    for phase in ("prefill", "decode"):
        assert len(load(name, phase=phase).operators) <= 36


def test_latent_attention_compresses_the_cache() -> None:
    """576 elements per token and layer (arXiv 2405.04434, table 1), against 2 x 8 x 128 of Llama-3.1-70B."""
    assert load("deepseek-v3", batch=3, context=1000).cache_elements == 3 * 1000 * 61 * 576
    assert load("llama-3.1-70b", batch=3, context=1000).cache_elements == 3 * 1000 * 80 * 2048
    latent = load("deepseek-v3", context=4096)
    cached = latent.resident_bytes(Policy(weights="int8", kv_cache="int8")) - latent.parameters
    assert cached == pytest.approx(4096 * 61 * 576, rel=1e-6)


def test_sliding_windows_bound_the_cache() -> None:
    """Gemma 3 27B: 52 of 62 layers hold the last 1024 tokens, the others all."""
    per_token = 2 * 16 * 128
    assert load("gemma-3-27b", context=512).cache_elements == 62 * 512 * per_token
    assert load("gemma-3-27b", context=32768).cache_elements == (52 * 1024 + 10 * 32768) * per_token


def test_loads_a_config_file(tmp_path: Path) -> None:
    path = tmp_path / "my-llama" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(CATALOG["llama-2-7b"]["config"]), encoding="utf-8")
    workload = load(path, phase="prefill", batch=2, context=16)
    assert workload.name == "my-llama"
    assert workload.operators == load("llama-2-7b", phase="prefill", batch=2, context=16).operators
    other = path.rename(tmp_path / "tiny.json")
    assert load(str(other)).name == "tiny"


def test_accepts_numpy_integers() -> None:
    assert load("llama-2-7b", batch=np.int64(4), context=np.int32(128)) == load("llama-2-7b", batch=4, context=128)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown workload 'lama-2-7b'; did you mean llama-2-7b"):
        load("lama-2-7b")


def test_unknown_phase() -> None:
    with pytest.raises(InputError, match="unknown phase 'paining'"):
        load("llama-2-7b", phase="paining")


@pytest.mark.parametrize("field", ["batch", "context"])
@pytest.mark.parametrize("value", [0, -1, 1.5, float("nan"), True, "8", None, 2**31])
def test_impossible_sizes(field: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^{field} is .*; expected a positive integer below 2\*\*31\.$"):
        load("llama-2-7b", **{field: value})


def test_malformed_json_names_file_line_and_fault(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{\n  "hidden_size": 4096\n  "vocab_size": 1\n}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.json, line 3: Expecting ',' delimiter; expected a JSON object\."):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("[" * 100_000, "nests too deeply or has too long a number", id="nesting"),
        pytest.param('{"vocab_size": ' + "9" * 5000 + "}", "nests too deeply or has too long a number", id="digits"),
        pytest.param(" " * 2**20 + "{}", "has more than 1048576 bytes", id="bytes"),
    ],
)
def test_hostile_files_are_refused_at_once(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rf"hostile\.json {message}; expected a config\.json\.$"):
        load(path)


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(InputError, match="/dev/zero has more than 1048576 bytes"):
        load("/dev/zero")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load(tmp_path)
    binary = tmp_path / "weights.bin"
    binary.write_bytes(b"\x80\x00")
    with pytest.raises(InputError, match="not UTF-8 text at byte 0"):
        load(binary)


def test_dims_are_for_graphs() -> None:
    with pytest.raises(InputError, match="llama-2-7b has no open dimensions; dims belong to ONNX graphs"):
        load("llama-2-7b", dims={"batch": 1})
    with pytest.raises(InputError, match="dimension batch is 0; expected a positive integer"):
        load("any.onnx", dims={"batch": 0})


def test_language_models_do_not_infer() -> None:
    with pytest.raises(InputError, match="unknown phase 'inference'"):
        load("llama-2-7b", phase="inference")


@pytest.mark.parametrize("name", ["deepseek-v3", "gemma-3-27b", "llama-3.1-405b", "mixtral-8x7b"])
def test_model_to_table_is_quick(name: str) -> None:
    """5 ms for load and to_frame; three times that here, for slow machines."""
    policy = Policy(weights="int4")
    durations = []
    for _ in range(20):
        start = perf_counter()
        load(name).to_frame(policy)
        durations.append(perf_counter() - start)
    assert min(durations) < 15e-3


@pytest.mark.parametrize("row", TOTALS["tiny"], ids=lambda row: row["config"]["architectures"][0])
def test_tiny_models_are_those_that_transformers_builds_and_runs(row: dict[str, Any]) -> None:
    model = transformer(row["config"], source="tiny")
    assert model.parameters == row["parameters"]
    if "prefill_macs" in row:
        operators = model.operators(Pass.prefill(2, 8))
        assert sum(each.count * each.macs for each in operators) == pytest.approx(row["prefill_macs"], rel=1e-12)


def test_popular_experts_by_exponent() -> None:
    even, uneven = load("mixtral-8x7b", batch=4), load("mixtral-8x7b", batch=4, expert_skew=1)
    assert load("mixtral-8x7b", batch=4, expert_skew=0) == even
    assert uneven.parameters == even.parameters
    assert (uneven.expert_skew, uneven.setting) == (1, f"{even.setting}, expert skew 1")
    assert uneven.weight_elements < even.weight_elements
    assert sum(row.count * row.macs for row in uneven.operators) == pytest.approx(
        sum(row.count * row.macs for row in even.operators)
    )
    first = next(row for row in uneven.operators if row.name == "experts_0.gate_proj")
    assert Policy.parse("fp16/fp16/fp16;gate_proj=int4//").operands(first).weights.storage.bits == 4
    layered = load("mixtral-8x7b", batch=4, expert_skew=1, per_layer=True)
    assert "layers.31.experts_0.down_proj" in {row.name for row in layered.operators}


@pytest.mark.parametrize("skew", [-1, 8, float("nan"), float("inf")])
def test_impossible_exponents(skew: float) -> None:
    with pytest.raises(InputError, match=r"expert_skew is .*; expected an exponent from 0 to below 8"):
        load("mixtral-8x7b", expert_skew=skew)


@pytest.mark.parametrize("name", ["llama-2-7b", "resnet-18"])
def test_a_skew_needs_experts(name: str) -> None:
    with pytest.raises(InputError, match=f"expert_skew is 1, but {name} has no experts to choose from; expected 0"):
        load(name, expert_skew=1)


def test_a_draft_without_experts_goes_with_a_skewed_model() -> None:
    workload = load("mixtral-8x7b", phase="speculative(llama-2-7b, 2, 0.5)", context=64, expert_skew=1)
    assert {"draft.gate_proj", "verify.experts_0.gate_proj"} <= {row.name for row in workload.operators}
