"""``hwexplore roofline`` and ``hwexplore accelerators``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwexplore.accelerator.presets import preset, presets, roofline, totals
from hwexplore.cli import main
from hwexplore.workloads import Policy, load

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with these arguments: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hwexplore", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


def test_prints_operators_and_totals(run: Run) -> None:
    code, out, err = run("roofline", "llama-2-7b", "--accelerator", "a100", "--policy", "int4_g128/fp16/fp16")
    assert (code, err) == (0, "")
    table = roofline(load("llama-2-7b"), Policy.parse("int4_g128/fp16/fp16"), preset("a100"))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows] == table["name"].tolist()
    assert [row[9] for row in rows] == table["bound"].tolist()
    assert [float(row[10]) for row in rows] == pytest.approx(1e6 * table["time_s"], rel=1e-3)
    metrics = totals(table, 1)
    assert f"latency {1e3 * metrics['latency_s']:.4g} ms, {metrics['tokens_per_s']:,.4g} tokens/s" in out
    assert "weights and KV cache: 4.548 of 40 GB\n" in out


def test_json(run: Run) -> None:
    policy = "int4/int8/int8"
    setting = ("--phase", "prefill", "--batch", "2", "--context", "64", "--policy", policy)
    code, out, _ = run("roofline", "smollm2-135m", "--accelerator", "zcu104", *setting, "--json")
    assert code == 0
    facts = json.loads(out)
    workload = load("smollm2-135m", phase="prefill", batch=2, context=64)
    table = roofline(workload, Policy.parse(policy), preset("zcu104"))
    assert facts.items() >= totals(table, 128).items()
    assert facts["resident_bytes"] == workload.resident_bytes(Policy.parse(policy))
    assert (facts["accelerator"], facts["phase"], facts["batch"], facts["context"]) == ("zcu104", "prefill", 2, 64)
    assert [row["time_s"] for row in facts["operators"]] == table["time_s"].tolist()
    assert {row["peak_ops_per_s"] for row in facts["operators"]} == {None, 5.3568e12}


def test_measured(run: Run) -> None:
    facts = json.loads(run("roofline", "smollm2-135m", "--accelerator", "a100", "--measured", "--json")[1])
    table = roofline(load("smollm2-135m"), Policy(), preset("a100"), measured=True)
    assert facts["measured"] is True
    assert facts["latency_s"] == totals(table, 1)["latency_s"]


def test_says_what_does_not_fit_and_what_is_not_known(run: Run) -> None:
    _, out, _ = run("roofline", "llama-2-7b", "--accelerator", "zcu104", "--policy", "int8/int8/int8")
    assert "of 2 GB: they do not fit\n" in out
    assert "vector rate: none published" in out


def test_writes_the_figure(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "roofline.html"
    code, out, _ = run("roofline", "smollm2-135m", "--accelerator", "h100", "--out", str(path))
    assert code == 0
    assert out.endswith(f"wrote {path}\n")
    page = path.read_text("utf-8")
    assert "arithmetic intensity" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--accelerator", "a10"), "unknown accelerator 'a10'; did you mean a100"),
        (("--accelerator", "zcu104"), "q_proj computes in fp16, which zcu104 does not; it computes in int4, int8"),
        (("--accelerator", "h100", "--measured"), "h100 has no measured launch overhead and efficiency; a100"),
        (("--accelerator", "a100", "--policy", "int4"), "policy part 'int4' has 1 operands"),
        (("--accelerator", "a100", "--policy", "fp8/fp16/fp16"), "unknown format 'fp8'; did you mean"),
        (("--accelerator", "a100", "--batch", "0"), "batch is 0; expected a positive integer"),
        (("--accelerator", "a100", "--out", "figure.svg"), "output figure.svg has suffix '.svg'; expected .html"),
        (("--accelerator", "a100", "--out", "no/x.html"), "output no/x.html cannot be written: No such file"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run("roofline", "llama-2-7b", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"hwexplore: {message}")
    assert err.count("\n") == 1


def test_list_accelerators(run: Run) -> None:
    code, out, _ = run("accelerators", "list")
    assert code == 0
    assert all(machine.description in out for machine in presets())
    rows = json.loads(run("accelerators", "list", "--json")[1])
    assert [row["name"] for row in rows] == [machine.name for machine in presets()]
    assert next(row["highest op/s"] for row in rows if row["name"] == "h100") == 1978.9e12


@pytest.mark.parametrize("name", [machine.name for machine in presets()])
def test_show_accelerator(run: Run, name: str) -> None:
    code, out, _ = run("accelerators", "show", name)
    assert code == 0
    assert all(source in out for source in preset(name).sources.values())
    figures = json.loads(run("accelerators", "show", name, "--json")[1])
    assert {figure["name"]: figure["source"] for figure in figures} == preset(name).sources


def test_show_unknown_accelerator(run: Run) -> None:
    assert run("accelerators", "show", "orin") == (
        2,
        "",
        "hwexplore: unknown accelerator 'orin'; did you mean jetson-orin?\n",
    )


def test_fused_operators_that_move_nothing(run: Run, tmp_path: Path) -> None:
    options = ("roofline", "llama-2-7b", "--accelerator", "a100", "--fuse", "attention")
    facts = json.loads(run(*options, "--json")[1])
    softmax = next(row for row in facts["operators"] if row["name"] == "softmax")
    assert (softmax["bytes"], softmax["intensity"], softmax["bound"]) == (0, None, "compute")
    assert run(*options, "--out", str(tmp_path / "fused.html"))[0] == 0
    assert "softmax" not in re.findall(r'"text":\s*"([^"]*)"', (tmp_path / "fused.html").read_text("utf-8"))
