from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.cli.stored_front import load_front
from hwexplore.quality.profile import Profile
from hwexplore.search import Certificate, Space, explore, read_metadata, space_schema

Run = Callable[..., tuple[int, str, str]]

NETWORK = ("smollm2-135m", "--context", "64")


def cells(out: str) -> list[list[str]]:
    """The cells of the printed tables, line by line."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


def test_prints_the_front_and_writes_it(run: Run, space: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "designs.parquet", tmp_path / "report.html"
    code, out, err = run("explore", *NETWORK, "--space", space, "--out", table, "--out", page)
    assert (code, err) == (0, "")
    front = explore(Space.load(space), workloads.load("smollm2-135m", context=64))
    frame = front.to_frame().iloc[front.representatives()]
    rows = cells(out)[::2]
    assert [row[0] for row in rows] == frame["id"].astype(str).tolist()
    assert [row[1] for row in rows] == frame["policy"].tolist()
    assert [row[1] for row in cells(out)[1::2]] == frame["pe"].tolist()
    assert [float(row[4]) for row in rows] == pytest.approx(1e3 * frame["latency_s"], rel=1e-3)
    assert [float(row[10]) for row in rows] == pytest.approx(frame["tops_per_w"], rel=1e-2)
    assert "64 designs evaluated in" in out
    assert f"{front.feasible} feasible\n" in out
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("inert")] == [
        f"inert parameter {name}" for name in front.inert()
    ]
    assert f"wrote {table}\nwrote {page}\n" in out
    assert len(pd.read_parquet(table)) == 64
    metadata = read_metadata(table)
    assert metadata["front"] == front.ids.tolist()
    assert metadata["complete"]
    assert Space.parse(metadata["space"]).choices.values == front.problem.space.choices.values
    assert "<html" in page.read_text("utf-8")


def test_options_reach_the_search(run: Run, space: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    options = ("--phase", "prefill", "--batch", 2, "--fidelity", "roofline", "--jobs", 1, "--objective", "tops")
    limits = ("--constraint", "rows <= 4", "--constraint", "area_mm2 < 40")
    code, out, _ = run("explore", *NETWORK, "--space", space, *options, *limits, "--out", path)
    assert code == 0
    expected = {
        "workload": "smollm2-135m",
        "phase": "prefill",
        "batch": 2,
        "context": 64,
        "technology": "nangate45",
        "fidelity": "roofline",
        "objectives": ["tops"],
        "constraints": ["rows <= 4", "area_mm2 < 40"],
    }
    assert read_metadata(path).items() >= expected.items()
    assert "1 of 1 designs on the front of tops" in out.replace("\n", " ")


def test_default_space_needs_no_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hwexplore.search.Space.default", lambda: Space(pe="mac(int8, int8, acc=int32)", rows=4, cols=64)
    )
    code, out, _ = run("explore", "smollm2-135m")
    assert code == 0
    assert "designs evaluated in" in out


def test_markup_in_names_is_text(run: Run, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    catalogue = Path(workloads.__file__).parents[1] / "models" / "workloads" / "smollm2-135m.json"
    Path("[b]of this.json").write_text(json.dumps(json.loads(catalogue.read_text())["config"]))
    code, out, err = run("explore", "[b]of this.json", "--context", 64, "--space", space)
    assert (code, err) == (0, "")
    assert "[b]of this decode" in out


def test_interrupted_before_the_first_designs(
    run: Run, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hwexplore.search.front.DesignEvaluator.__call__", interrupt)
    files = tmp_path / "designs.parquet", tmp_path / "report.html"
    code, out, err = run("explore", *NETWORK, "--space", space, "--out", files[0], "--out", files[1], "--jobs", 1)
    assert (code, out, err) == (130, "interrupted after 0 designs, none feasible so far\n", "")
    assert not list(files[0].glob("[0-9]*"))
    assert not files[1].exists()


BIG = """
pe = ["mac(int8, int8, acc=int32)"]
policy = ["int8_channel/int8/int8"]
clock_mhz = [100]
voltage = [1.1]
dram = ["hbm2"]
"""


@pytest.mark.parametrize("designs", [0, 1])
def test_ctrl_c(designs: int, tmp_path: Path) -> None:
    """Before and after the first designs were stored; a 100-million-design search would take most of a minute."""
    sizes = {name: list(range(1, 65)) for name in ("rows", "cols", "vector_lanes")}
    sizes["sram_kib"] = list(range(64, 64 * 65, 64))
    space, path = tmp_path / "space.toml", tmp_path / "designs.parquet"
    space.write_text(BIG + "".join(f"{name} = {values}\n" for name, values in sizes.items()))
    # The signal may come before the command line is there to take it.
    program = """\
import sys
from hwexplore.cli import main
try:
    print("ready", flush=True)
    main()
except KeyboardInterrupt:
    sys.exit(130)
"""
    arguments = [
        "explore",
        *NETWORK,
        "--space",
        space,
        "--out",
        path,
        "--objective",
        "latency_s",
        "--objective",
        "area_mm2",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # which background jobs ignore
    ) as search:
        assert search.stdout is not None
        search.stdout.readline()
        deadline = time.monotonic() + 30
        while designs and not len(list(path.glob("[0-9]*"))) > 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(search.pid, signal.SIGINT)
        out, err = search.communicate(timeout=30)
    assert search.returncode == 130
    assert "Traceback" not in err
    if not designs:
        assert not path.exists()
        return
    stored, metadata = pd.read_parquet(path), read_metadata(path)
    assert len(stored) > 10_000
    assert not metadata["complete"]
    assert set(metadata["front"]) <= set(stored["id"])
    assert "interrupted, the front is that of what was evaluated" in out
    assert {int(row[0]) for row in cells(out)[::2]} <= set(metadata["front"])


def test_resumes(run: Run, space: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    options = ("explore", *NETWORK, "--space", space, "--out", path)
    first = run(*options, "--resume", "--json")
    assert first[::2] == (0, f"0 designs were in {path} already\nwrote {path}\n")
    again = run(*options, "--resume", "--json")
    assert again == (*first[:2], f"64 designs were in {path} already\nwrote {path}\n")
    [part] = path.glob("[0-9]*")
    part.write_bytes(part.read_bytes()[:-1])
    code, out, err = run(*options, "--resume", "--json")
    assert (code, out) == first[:2]
    assert f"{part} was damaged: removed, its designs evaluated again\n0 designs were in" in err
    code, out, err = run(*options)
    assert (code, out) == (2, "")
    assert "designs.parquet holds a run already; go on with it by --resume, or name another" in err
    code, out, err = run(*options, "--resume", "--fidelity", "roofline")
    assert (code, out) == (2, "")
    assert "holds a run with another fidelity: 'tile', not 'roofline'" in err


def test_a_full_disk(space: Path, tmp_path: Path) -> None:
    """No file may grow beyond 8 KiB."""
    path = tmp_path / "designs.parquet"
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({2**13},) * 2)\n"
    program = "from hwexplore.cli import main\nmain()\n"
    arguments = [sys.executable, "-c", limit + program, "explore", *NETWORK, "--space", space, "--out", path]
    ended = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(
        r"hwexplore: output .*parquet cannot be written: File too large; the designs before it are kept, --resume .*\n",
        ended.stderr,
    )
    assert [file.name for file in path.iterdir()] == ["_run.json"]


def test_constraints_and_the_space_file_come_together(run: Run, space: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        space.read_text().replace("cols = [16, 256]", "cols = { equals = '16 * rows' }") + "constraints = 'rows > 1'"
    )
    limits = ("--constraint", "area_mm2 * latency_s < 10", "--constraint", "dram == 'hbm2'")
    code, out, _ = run("explore", *NETWORK, "--space", own, *limits, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["constraints"] == ["rows > 1", "area_mm2 * latency_s < 10", "dram == 'hbm2'"]
    assert {(design["rows"], design["cols"], design["dram"]) for design in facts["designs"]} == {(16, 256, "hbm2")}
    assert [str(limit) for limit in Space.parse(facts["space"]).constraints] == facts["constraints"]


def test_prints_the_schema(run: Run) -> None:
    code, out, err = run("explore", "--space-schema")
    assert (code, err) == (0, "")
    assert json.loads(out) == space_schema()


def test_json_holds_the_whole_front(run: Run, space: Path) -> None:
    code, out, _ = run("explore", "llama-2-7b", "--space", space, "--json")
    assert code == 0
    facts = json.loads(out)
    assert [design["id"] for design in facts["designs"]] == facts["front"]
    assert facts["complete"] is True


def _profile(*weights: tuple[str, float]) -> Profile:
    """Made up, with those formats of the weights and int8 for the rest."""
    workload = workloads.load("smollm2-135m", context=64, per_layer=True)
    rows = [
        (operator.name, operand, format, (1 + number % 5) * loss)
        for number, operator in enumerate(workload.operators)
        if operator.is_gemm
        for operand, format, loss in (
            [("activations", "int8", 1e-6), ("kv_cache", "int8", 1e-6)]
            if operator.kind == "attention"
            else [("activations", "int8", 1e-6), *(("weights", *each) for each in weights)]
        )
    ]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    texts = {"network": "smollm2-135m", "metric": "nats per token", "source": "made up"}
    return Profile(**texts, proxy="one_at_a_time", table=table)


def test_a_profile_is_the_error_and_mixes_formats_by_layer(run: Run, space: Path, tmp_path: Path) -> None:
    path, designs = tmp_path / "profile.parquet", tmp_path / "designs.parquet"
    _profile(("int8_channel", 1e-5), ("int4_g128", 1e-3)).write(path)
    options = ("--space", space, "--quality", path, "--mixes", 3, "--fidelity", "roofline")
    code, out, err = run("explore", *NETWORK, *options, "--out", designs)
    assert (code, err) == (0, "")
    assert "error: increase in nats per token of smollm2-135m, as one_at_a_time predicts (made up)" in out
    assert re.search(r"int\S+/int8/int8; \d+ overrides", out)
    metadata = read_metadata(designs)
    row = next(n for n, id in enumerate(metadata["front"]) if ";" in str(Space.parse(metadata["space"]).values([id])))
    stored = pd.read_parquet(designs).set_index("id")["error"][metadata["front"][row]]
    code, out, _ = run("explain", f"row:{row}", "--from", designs, "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["error"] == pytest.approx(stored)


def test_what_a_search_by_layer_leaves_out_is_said(run: Run, space: Path, tmp_path: Path) -> None:
    path = tmp_path / "profile.parquet"
    _profile(("int8_channel", 1e-5)).write(path)
    code, _, err = run("explore", *NETWORK, "--space", space, "--quality", path, "--fidelity", "roofline")
    assert code == 0
    assert "left out: int4_g128/int8/int8, as the profile has no row for layers.0.q_proj weights int4_g128" in err


def test_a_profile_of_another_network_is_named(run: Run, space: Path, tmp_path: Path) -> None:
    rows = [("conv1", "weights", "int8_channel", 0.1)]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    path = tmp_path / "profile.parquet"
    Profile(network="resnet-18", metric="nats", proxy="fisher", source="made up", table=table).write(path)
    code, out, err = run("explore", *NETWORK, "--space", space, "--quality", path)
    assert (code, out) == (2, "")
    assert "unknown layer of the profile of resnet-18 in smollm2-135m 'conv1'" in err
    code, out, err = run("explore", *NETWORK, "--space", space, "--quality", tmp_path / "no.parquet")
    assert (code, out) == (2, "")
    assert "no.parquet cannot be read" in err


def test_draws_of_the_coefficients(run: Run, space: Path, tmp_path: Path) -> None:
    options = ("explore", *NETWORK, "--space", space, "--draws", 20)
    code, out, _ = run(*options, "--out", tmp_path / "report.html")
    assert code == 0
    assert re.search(r"true front in 20 joint draws: \d+ designs .* \d+ hold it whole with 95% confidence", out)
    assert "probability" in (tmp_path / "report.html").read_text()
    code, out, _ = run(*options, "--json")
    facts = json.loads(out)
    assert code == 0
    assert {design["id"] for design in facts["designs"] if design["nominal"]} == set(facts["front"])
    assert all(0 <= design["probability"] <= 1 for design in facts["designs"])
    code, _, err = run(*options[:-1], 5)
    assert (code, err) == (2, "hwexplore: draws is 5; a confidence of 95% takes 19 to 200\n")


def test_an_exact_search_prints_the_same_front(run: Run, space: Path, tmp_path: Path) -> None:
    proof, page = tmp_path / "proof.parquet", tmp_path / "report.html"
    options = ("--search", "exact", "--certificate", proof, "--out", page)
    code, out, err = run("explore", *NETWORK, "--space", space, *options)
    assert (code, err) == (0, "")
    _, other, _ = run("explore", *NETWORK, "--space", space)
    assert cells(out) == cells(other)
    certificate = Certificate.read(proof)
    assert f"of 64 designs, {len(certificate)} boxes settle all: " in out
    assert f"wrote {proof}\n" in out
    assert "<html" in page.read_text("utf-8")


@pytest.mark.parametrize("how", ["exact", "nsga2"])
def test_a_search_that_evaluates_few_keeps_its_front(how: str, run: Run, space: Path, tmp_path: Path) -> None:
    path = tmp_path / "designs.parquet"
    options = ("explore", *NETWORK, "--space", space, "--search", how, "--out", path)
    code, out, _ = run(*options, "--json")
    facts = json.loads(out)
    assert code == 0
    assert pd.read_parquet(path)["id"].tolist() == sorted(facts["front"])
    stored = load_front(path)
    assert stored.ids.tolist() == facts["front"]
    assert (stored.heuristic is None) == (how == "exact")
    assert run("explain", "row:0", "--from", path)[0] == 0
    code, _, err = run("front", "best", path)
    assert (code, "designs of a front alone" in err) == (2, True)
    code, _, err = run(*options)
    assert (code, "holds a run already" in err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--search", "exact", "--out", "designs.parquet", "--resume"), "--resume goes on with an exhaustive search"),
        (("--search", "exact", "--fidelity", "roofline"), "an exact search is one of tiles"),
        (
            ("--search", "exact", "--backend", "processes"),
            "--search exact runs in threads; leave out --backend processes",
        ),
        (("--certificate", "proof.parquet"), "--search exhaustive gives no certificate"),
    ],
)
def test_options_of_the_other_search(options: tuple[str, ...], message: str, run: Run, space: Path) -> None:
    code, _, err = run("explore", *NETWORK, "--space", space, *options)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("method", ["nsga2", "nsga3", "bayesian"])
def test_heuristic_search_says_what_it_is(run: Run, space: Path, tmp_path: Path, method: str) -> None:
    page = tmp_path / "report.html"
    options = ("--search", method, "--evaluations", 20, "--seed", 3)
    code, out, err = run("explore", *NETWORK, "--space", space, *options, "--out", page)
    assert (code, err) == (0, "")
    said = re.search(
        rf"of 64; {method} with seed 3, \d+ more screened .* ended as .*: the front may lack designs\n", out
    )
    assert said
    assert f"{method} with seed 3" in page.read_text("utf-8")
    code, out, _ = run("explore", *NETWORK, "--space", space, *options, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["complete"] is False
    assert facts["heuristic"]["method"] == method
    assert facts["heuristic"]["evaluations"] == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed", 1), "--search exhaustive has no evaluations and no seed to choose; take nsga2, nsga3, bayesian"),
        (("--search", "exact", "--evaluations", 9), "--search exact has no evaluations"),
        (("--search", "nsga2", "--out", "designs.parquet", "--resume"), "--resume goes on with an exhaustive search"),
        (("--search", "nsga3", "--certificate", "c.parquet"), "--search nsga3 gives no certificate"),
        (("--search", "nsga2", "--evaluations", 0), "evaluations = 0; a search needs 1 or more"),
    ],
)
def test_options_that_a_search_does_not_have(run: Run, space: Path, options: tuple[object, ...], message: str) -> None:
    code, _, err = run("explore", *NETWORK, "--space", space, *options)
    assert code == 2
    assert message in " ".join(err.split())
