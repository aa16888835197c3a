from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.workloads import Policy, load, names

CATALOG = {
    file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8"))
    for file in files("hwexplore.models").joinpath("workloads").iterdir()
    if file.name.endswith(".json")
}


def test_names() -> None:
    assert names() == sorted(CATALOG)
    assert {"llama-2-7b", "resnet-50", "vit-b-16"} <= set(names())


@pytest.mark.parametrize("name", CATALOG)
def test_parameters_are_the_published_total(name: str) -> None:
    entry = CATALOG[name]
    assert entry["source"]
    assert load(name).parameters == entry["parameters"]


def test_bitnet_has_the_3_32_billion_parameters_that_are_published() -> None:
    assert f"{load('bitnet-3b').parameters / 1e9:.2f}" == "3.32"


def test_mixtral_uses_two_experts_per_token() -> None:
    """12.9 B active parameters of 46.7 B (arXiv 2401.04088): all but six experts of 32 layers."""
    workload = load("mixtral-8x7b")
    assert workload.active_parameters == workload.parameters - 6 * 32 * 3 * 4096 * 14336
    assert f"{workload.active_parameters / 1e9:.1f}" == "12.9"


def test_dense_models_use_all_parameters() -> None:
    workload = load("llama-2-7b")
    assert workload.active_parameters == workload.parameters


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
    with pytest.raises(InputError, match="unknown phase 'training'"):
        load("llama-2-7b", phase="training")


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


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load(tmp_path)
    binary = tmp_path / "weights.bin"
    binary.write_bytes(b"\x80\x00")
    with pytest.raises(InputError, match="not UTF-8 text at byte 0"):
        load(binary)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "is nested too deeply"),
        ('{"hidden_size": ' + "1" * 5000 + "}", "has a number of too many digits"),
        (" " * (16 * 2**20 + 1), "has more than 16777216 bytes"),
    ],
)
def test_hostile_json(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bomb.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load(path)


def test_dims_are_for_graphs() -> None:
    with pytest.raises(InputError, match="llama-2-7b has no open dimensions; dims belong to ONNX graphs"):
        load("llama-2-7b", dims={"batch": 1})
    with pytest.raises(InputError, match="dimension batch is 0; expected a positive integer"):
        load("any.onnx", dims={"batch": 0})


def test_language_models_do_not_infer() -> None:
    with pytest.raises(InputError, match="unknown phase 'inference'"):
        load("llama-2-7b", phase="inference")


def test_model_to_table_is_quick() -> None:
    """5 ms for load and to_frame; three times that here, for slow machines."""
    policy = Policy(weights="int4")
    durations = []
    for _ in range(20):
        start = perf_counter()
        load("mixtral-8x7b").to_frame(policy)
        durations.append(perf_counter() - start)
    assert min(durations) < 15e-3
