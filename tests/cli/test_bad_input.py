from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

EXPLORE = "explore smollm2-135m --context 64 --space space.toml"
SENTENCES = {
    "explore lama-2-7b": "unknown workload 'lama-2-7b'; did you mean llama-2-7b",
    "explore none.json": "none.json cannot be read: No such file or directory",
    "explore broken.json": "broken.json, line 1: Expecting value",
    "explore list.json": "list.json",
    "explore other.json": "other.json",
    "explore folder.html": "folder.html cannot be read: Is a directory",
    "explore llama-2-7b --batch 0": "batch is 0; expected a positive integer",
    "explore llama-2-7b --context -3": "context is -3; expected a positive integer",
    "explore llama-2-7b --fuse flash": "unknown fusion 'flash'; known: attention, elementwise",
    "explore llama-2-7b --expert-skew 1": "expert_skew is 1.0, but llama-2-7b has no experts",
    "workloads show mixtral-8x7b --expert-skew nan": "expert_skew is nan; expected an exponent from 0",
    "explore llama-2-7b --space none.toml": "space file none.toml cannot be read: No such file or directory",
    "explore llama-2-7b --space folder.html": "space file folder.html cannot be read: Is a directory",
    "explore llama-2-7b --space broken.toml": "space file broken.toml is not valid TOML: Unclosed array",
    "explore llama-2-7b --space binary.toml": "space file binary.toml is not UTF-8 text",
    "explore llama-2-7b --space zero.toml": "rows = 0 must be positive",
    "explore llama-2-7b --space negative.toml": "sram_kib = -1 must be positive",
    "explore llama-2-7b --space nan.toml": "clock_mhz = nan must be positive",
    "explore llama-2-7b --space empty.toml": "parameter rows has an empty list of values: the space holds no design",
    "explore llama-2-7b --space huge.toml": "must be positive and below 2**31",
    "explore llama-2-7b --space typo.toml": "unknown parameter 'row'; did you mean rows",
    "explore llama-2-7b --space dram.toml": "unknown DRAM 'hbm9'; did you mean hbm3",
    "explore llama-2-7b --space pe.toml": "width of a twos_complement integer is 9000",
    "explore llama-2-7b --space selector.toml": "'lm_haed'",
    "explore smollm2-135m --context 64 --space impossible.toml": "no design of the space is feasible",
    f"{EXPLORE} --technology nangate54": "unknown technology 'nangate54'; did you mean nangate45",
    f"{EXPLORE} --objective latency": "unknown objective 'latency'; did you mean latency_s",
    f"{EXPLORE} --objective error --objective error": "an objective is named twice",
    f"{EXPLORE} --constraint area": "constraint 'area', at 'area' in column 1: unknown parameter or metric 'area'",
    f"{EXPLORE} --constraint area<5": "unknown parameter or metric 'area'; did you mean area_mm2",
    f"{EXPLORE} --constraint area_mm2<nan": "at 'nan' in column 10: unknown parameter or metric",
    f"{EXPLORE} --constraint rows<4 --constraint rows>4": "constraints rows < 4 and rows > 4 contradict each other",
    f"{EXPLORE} --constraint area_mm2<1": "no design meets area_mm2 < 1: area_mm2 ranges from",
    f"{EXPLORE} --jobs 0": "jobs = 0 evaluates nothing",
    f"{EXPLORE} --out report.pdf": "output report.pdf has suffix '.pdf'; known: .html and .parquet",
    f"{EXPLORE} --out none/report.html": "output none/report.html cannot be written: there is no folder none",
    f"{EXPLORE} --out folder.parquet": "output folder.parquet is a folder that hwexplore explore did not write",
    f"{EXPLORE} --out folder.html": "output folder.html cannot be written: it is a folder",
    f"{EXPLORE} --out a.parquet --out b.parquet": "two Parquet outputs, a.parquet and b.parquet",
    f"{EXPLORE} --out precious.parquet": "output precious.parquet is a file; designs go into a folder",
    f"{EXPLORE} --resume": "--resume goes on with the designs in a folder; name it by --out FOLDER.parquet",
    "explain one": "design 'one' is neither an id, such as 93818, nor a row of a front",
    "explain row:0": "design 'row:0' counts the rows of a front; name its folder of designs with --from",
    "explain 64 --workload smollm2-135m --space space.toml": "design 64 is not in the space",
    f"explain {10**30} --workload smollm2-135m --space space.toml": f"design {10**30} is not in the space",
    "explain 0 --space space.toml": "design 0 is infeasible: the DRAM cannot hold",
    "explain row:0 --from corrupt.parquet": "corrupt.parquet is not a folder that hwexplore explore wrote",
    "explain row:0 --from folder.parquet": "folder.parquet is not a folder that hwexplore explore wrote",
    "explain row:0 --from none.parquet": "none.parquet is not a folder that hwexplore explore wrote",
    "formats show int0": "width of a twos_complement integer is 0",
    "pe show mac(int8)": "needs two operand formats",
    "pe show mc(int8,int8)": "unknown PE family 'mc'; did you mean mac",
    "pe show mac(int8,int8) --period-ps 10": "cannot run at 10 ps on nangate45",
    "pe show mac(int8,int8) --period-ps nan": "period_ps = nan must be a positive number",
    "pe show mac(int8,int8) --operands laplace": "laplace",
    "technology show nangate": "unknown technology 'nangate'; did you mean nangate45",
    "workloads show llama": "unknown workload 'llama'; did you mean",
    "workloads show llama-2-7b --dim batch=1": "llama-2-7b has no open dimensions",
    "workloads show llama-2-7b --dim batch": "dimension 'batch' is not of the form NAME=SIZE",
    "workloads show llama-2-7b --dim batch=-1": "dimension 'batch=-1' is not of the form NAME=SIZE",
    "workloads show llama-2-7b --json --csv": "--json and --csv exclude each other",
    "workloads show llama-2-7b --phase inference": "unknown phase 'inference'",
    "workloads show none.onnx": "none.onnx",
    "workloads show llama-2-7b --policy int4": "policy part 'int4' has 1 operands",
}


@pytest.mark.parametrize("command", SENTENCES)
def test_one_sentence(command: str, run: Run, in_folder: Path) -> None:
    code, out, err = run(*command.split())
    assert code == 2
    assert out == ""
    assert err.startswith("hwexplore: ")
    assert err.count("\n") == 1
    assert SENTENCES[command] in err
    assert (in_folder / "precious.parquet").read_text() == "precious"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("explore", "Missing argument"),
        ("explore llama-2-7b --batch nan", "Invalid value for '--batch'"),
        ("explore llama-2-7b --phase paining", "unknown phase 'paining'"),
        ("explore llama-2-7b --fidelity cycle", "Invalid value for '--fidelity'"),
        ("explore llama-2-7b --colour red", "No such option"),
        ("explode", "No such command"),
    ],
)
def test_misspelt_command_lines(command: str, message: str, run: Run) -> None:
    code, out, err = run(*command.split())
    assert code == 2
    assert out == ""
    assert message in re.sub(r"[\s│]+", " ", err)
    assert "Traceback" not in err
