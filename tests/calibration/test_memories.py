from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomllib

from hwexplore.calibration import memories
from hwexplore.calibration.memories import MACRO_LEAKAGE_NW_PER_BIT, fit_sram, fitted_laws, macros, sweep
from hwexplore.errors import InputError

DATA = Path(__file__).parents[1] / "data"
SWEEP, MACROS = DATA / "cacti7_sram.csv", DATA / "ihp130_sram_macros.csv"
QUANTITIES = ("read_pj", "write_pj", "leakage_mw", "area_um2", "access_ns")
LAWS = ("cacti45", "cacti32", "cacti22", "ihp130")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(SWEEP)


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return pd.read_csv(MACROS)


def committed(name: str) -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / "memories" / f"sram_{name}.toml").read_text("utf-8"))


def fitted_rows(name: str, frame: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    if name == "ihp130":
        return macros(real)
    rows = sweep(frame, int(name.removeprefix("cacti")), "lop")
    return rows.assign(leakage_mw=sweep(frame, 32, "lop")["leakage_mw"].to_numpy()) if name == "cacti22" else rows


def test_sweep_converts_units(frame: pd.DataFrame) -> None:
    row = sweep(frame, 45, "hp").iloc[0]
    assert row["leakage_mw"] == pytest.approx(1.07094 * 2.8 / 5.69 + 0.0499196)
    assert row["area_um2"] == pytest.approx(3600.9556263)
    assert (row["size_bytes"], row["word_bits"], row["read_pj"], row["access_ns"]) == (1024, 64, 1.43371, 0.208247)


def test_macros_have_one_port(real: pd.DataFrame) -> None:
    rows = macros(real)
    assert len(rows) == 18
    assert not rows.duplicated(["size_bytes", "word_bits"]).any()
    kibibyte = rows[(rows["size_bytes"] == 8192) & (rows["word_bits"] == 64)].iloc[0]
    assert (kibibyte["area_um2"], kibibyte["access_ns"]) == (263946.1408, 4.5488)
    assert kibibyte["leakage_mw"] == pytest.approx(792.0620e-6)  # the macro's cell_leakage_power, in nW
    large_nw = MACRO_LEAKAGE_NW_PER_BIT * 2048 * 64
    assert large_nw == pytest.approx(1584.1239)


@pytest.mark.parametrize("name", LAWS)
def test_committed_law_is_the_fit(frame: pd.DataFrame, real: pd.DataFrame, name: str) -> None:
    law, table = fitted_laws(frame, real)[name], committed(name)
    record = table["law"]
    assert (tuple(record["size_bytes"]), tuple(record["word_bits"])) == (law.size_bytes, law.word_bits)
    assert table["residual"] == law.residual
    for quantity in QUANTITIES:
        assert record[f"log2_{quantity}"] == pytest.approx(law.coefficients[quantity], abs=1e-5)


@pytest.mark.parametrize("name", LAWS)
def test_committed_law_meets_the_rows_within_its_residual(frame: pd.DataFrame, real: pd.DataFrame, name: str) -> None:
    rows, table = fitted_rows(name, frame, real), committed(name)
    s, w = np.log2(rows["size_bytes"]), np.log2(rows["word_bits"])
    for quantity in QUANTITIES:
        one, size, size2, word, cross = table["law"][f"log2_{quantity}"]
        error = 100 * (2 ** (one + size * s + size2 * s * s + word * w + cross * s * w) / rows[quantity] - 1)
        residual = table["residual"][quantity]
        assert abs(error).max() == pytest.approx(residual["worst_percent"], abs=0.1)
        assert np.sqrt((error**2).mean()) == pytest.approx(residual["rms_percent"], abs=0.1)
        assert residual["worst_percent"] < 45


@pytest.mark.parametrize("name", LAWS[:3])
def test_law_is_monotone(frame: pd.DataFrame, real: pd.DataFrame, name: str) -> None:
    law = fitted_laws(frame, real)[name]
    size = np.geomspace(*law.size_bytes, 200)[:, None]
    word = np.geomspace(*law.word_bits, 50)
    for quantity in QUANTITIES:
        assert (np.diff(law(quantity, size, word), axis=0) > 0).all(), quantity
    for quantity in ("read_pj", "write_pj"):
        assert (np.diff(law(quantity, size, word), axis=1) > 0).all(), quantity


def test_a_smaller_node_is_smaller_and_thriftier(frame: pd.DataFrame, real: pd.DataFrame) -> None:
    laws = fitted_laws(frame, real)
    for quantity in ("area_um2", "read_pj", "write_pj", "access_ns"):
        values = [float(laws[name](quantity, 8192, 64)) for name in ("ihp130", "cacti45", "cacti32", "cacti22")]
        assert values == sorted(values, reverse=True), quantity


def test_fit_recovers_a_law_without_noise() -> None:
    size, word = (grid.ravel() for grid in np.meshgrid(2.0 ** np.arange(10, 20), [32.0, 64.0, 128.0]))
    truth = {
        "read_pJ": size**0.5 * word**0.75,
        "write_pJ": 2.0 * size**0.25 * word,
        "area_mm2": 1e-6 * size,
        "access_ns": np.exp2(0.01 * np.log2(size) ** 2 - 0.02 * np.log2(size) * np.log2(word)),
    }
    leak = {"leak_mW": 3 * size * 5.69 / 2.8, "gate_leak_mW": size}  # CACTI's I_off_n at 350 K over 300 K
    frame = pd.DataFrame({"tech_nm": 45, "device": "hp", "size_bytes": size, "word_bits": word} | truth | leak)
    law = fit_sram(sweep(frame, 45, "hp"))
    assert law.coefficients["read_pj"] == pytest.approx((0, 0.5, 0, 0.75, 0), abs=1e-5)
    assert law.coefficients["write_pj"] == pytest.approx((1, 0.25, 0, 1, 0), abs=1e-5)
    assert law.coefficients["leakage_mw"] == pytest.approx((2, 1, 0, 0, 0), abs=1e-5)
    assert law.coefficients["area_um2"] == pytest.approx((0, 1, 0, 0, 0), abs=1e-5)
    assert law.coefficients["access_ns"] == pytest.approx((0, 0, 0.01, 0, -0.02), abs=1e-5)
    assert law.size_bytes == (1024, 2**19)
    assert law.word_bits == (32, 128)
    assert law.residual["read_pj"] == {"rms_percent": 0, "worst_percent": 0}


def test_refusals(frame: pd.DataFrame, real: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="table of SRAM macros has no column access_ns, read_pJ"):
        sweep(frame.drop(columns=["read_pJ", "access_ns"]), 45, "lop")
    with pytest.raises(InputError, match="table of SRAM macros has no column ports"):
        macros(real.drop(columns=["ports"]))
    with pytest.raises(InputError, match=r"no leakage at 300 K is known of 28 nm lop; known: \[\(22, 'hp'\)"):
        sweep(frame, 28, "lop")
    with pytest.raises(InputError, match=r"no rows of 45 nm lop; known: \[\(22, 'hp'\)"):
        sweep(frame[frame["tech_nm"] != 45], 45, "lop")


def test_the_command_prints_the_committed_tables(capsys: pytest.CaptureFixture[str]) -> None:
    memories.main((str(SWEEP), str(MACROS)))
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed == {name: {part: committed(name)[part] for part in ("law", "residual")} for name in LAWS}
