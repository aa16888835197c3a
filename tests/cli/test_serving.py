"""``hwexplore serving``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hwexplore import technology
from hwexplore.accelerator import Choices, Modelled, Published, link, preset, serve
from hwexplore.search import Space
from hwexplore.workloads import Policy

Run = Callable[..., tuple[int, str, str]]

SETTING = ("serving", "smollm2-135m", "--prompt", 32, "--output", 8, "--batch", 4)
LENGTHS = {"prompt": 32, "output": 8, "batch": 4}


def published(name: str, price: float | None = None, policy: str = "fp16/fp16/fp16") -> Published:
    return Published(preset=preset(name), policy=Policy.parse(policy), price_per_hour=price)


def test_prints_stages_and_metrics(run: Run) -> None:
    prices = ("--price-per-hour", 4, "--price-per-hour", 2)
    code, out, err = run(*SETTING, "--accelerator", "h100", "--decode-accelerator", "a100", *prices, "--accuracy", 0.5)
    assert (code, err) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    served = serve("smollm2-135m", published("h100", 4), decode=published("a100", 2), link=link("nvlink3"), **LENGTHS)
    stages = served.to_frame()
    assert [row[:2] for row in rows[:3]] == stages[["name", "where"]].to_numpy().tolist()
    assert [float(row[3]) for row in rows[:3]] == pytest.approx(stages["energy_j"].tolist(), rel=1e-3)
    assert {row[0]: float(row[2]) for row in rows[3:]} == pytest.approx(served.metrics(0.5), rel=1e-3)
    assert out.endswith("at the thermal design power for as long as they are held\n")


def test_what_is_not_known_is_left_out(run: Run) -> None:
    _, out, _ = run(*SETTING, "--accelerator", "zcu104", "--policy", "int8/int8/int8")
    assert "tokens_per_s" in out
    assert not any(name in out for name in ("j_per_token", "power_w", "cost_per_million_tokens", "intelligence"))


def test_json(run: Run) -> None:
    others = ("--attention-accelerator", "a100", "--link", "infiniband-ndr")
    code, out, _ = run(*SETTING, "--accelerator", "h100", *others, "--policy", "int8/fp16/int8", "--json")
    assert code == 0
    facts = json.loads(out)
    devices = (published(name, policy="int8/fp16/int8") for name in ("h100", "a100"))
    served = serve("smollm2-135m", next(devices), attention=next(devices), link=link("infiniband-ndr"), **LENGTHS)
    assert facts["tpot_s"] == served.tpot_s
    assert facts["cost_per_million_tokens"] is None
    assert [stage["time_s"] for stage in facts["stages"]] == [stage.time_s for stage in served.stages]


def test_measured(run: Run) -> None:
    _, out, _ = run(*SETTING, "--accelerator", "a100", "--measured")
    served = serve("smollm2-135m", replace(published("a100"), measured=True), **LENGTHS)
    assert f"{served.tpot_s:.4g}" in out
    assert "published accelerators run as fast as measured products, at" in out


def test_a_design_of_a_space(run: Run, space: Path) -> None:
    space.write_text(space.read_text().replace("1.1", "0.7"))
    arguments = ("--accelerator", 3, "--space", space, "--technology", "asap7", "--price-per-hour", 1, "--json")
    facts = json.loads(run(*SETTING, *arguments)[1])
    values = Space.load(space).choices.values
    fourth = {name: column[-1 if name in ("dram", "policy") else 0] for name, column in values.items()}
    choices = Choices({name: [value] for name, value in fourth.items()})
    design = Modelled(name="fourth", technology=technology.load("asap7"), choices=choices, price_per_hour=1)
    served = serve("smollm2-135m", design, **LENGTHS)
    assert {name: facts[name] for name in ("ttft_s", "j_per_token")} == {
        "ttft_s": served.ttft_s,
        "j_per_token": served.j_per_token,
    }
    assert facts["stages"][0]["where"] == "design 3 on asap7"
    _, out, _ = run(*SETTING, "--accelerator", 3, "--space", space, "--technology", "asap7")
    assert "published" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--accelerator", "h200"), "unknown accelerator 'h200'; did you mean h100"),
        (("--accelerator", "a100", "--link", "nvlink"), "unknown link 'nvlink'; did you mean nvlink"),
        (("--accelerator", "a100", "--output", "0"), "output is 0; expected tokens"),
        (("--accelerator", "a100", "--accuracy", "80"), "accuracy is 80.0; expected a fraction from 0 to 1"),
        (("--accelerator", "a100", "--price-per-hour", "-1"), "price per hour is -1.0; expected 0 or more"),
        (("--accelerator", "a100", "--price-per-hour", "nan"), "price per hour is nan; expected 0 or more"),
        (("--accelerator", "a100", *("--price-per-hour", "1") * 2), "2 prices per hour for 1 accelerators"),
        (("--accelerator", "64", "--space", "space.toml"), "design 64 is not in the space, which ends at 63"),
        (("--accelerator", "zcu104"), "prefill.q_proj computes in fp16, which zcu104 does not"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, in_folder: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*SETTING, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"hwexplore: {message}")
    assert err.count("\n") == 1
