from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.accelerator.presets import preset, roofline
from hwexplore.accelerator.silicon import Silicon, fit, leave_one_out, product_s
from hwexplore.errors import InputError
from hwexplore.workloads import Operator, Policy, Workload

DATA = pd.read_csv(Path(__file__).parents[1] / "data" / "a100_gemm.csv", comment="#")
MEASURED_S = 1e-3 * DATA["time_ms"].to_numpy()
A100 = preset("a100-80gb")
ROOFLINE_S = product_s(A100, DATA["M"], DATA["N"], DATA["K"])
FITTED = DATA.index < 10
"""The products that are left out one by one, of matrices [12288, 12288]; the others are never fitted."""


def test_silicon_within_five_percent_in_the_median_and_ten_at_worst() -> None:
    """Each of the ten predicted from the other nine."""
    error = np.abs(leave_one_out(ROOFLINE_S[FITTED], MEASURED_S[FITTED]) / MEASURED_S[FITTED] - 1)
    assert np.median(error) <= 0.05
    assert error.max() <= 0.10
    assert np.abs(ROOFLINE_S[FITTED] / MEASURED_S[FITTED] - 1).max() > 0.2


def test_square_matrices_that_were_never_fitted() -> None:
    error = np.abs(fit(ROOFLINE_S[FITTED], MEASURED_S[FITTED]).time_s(ROOFLINE_S) / MEASURED_S - 1)[~FITTED]
    assert np.median(error) <= 0.05
    assert error.max() <= 0.10


@pytest.mark.parametrize("name", ["a100", "a100-80gb"])
def test_the_presets_have_the_fit(name: str) -> None:
    fitted, machine = fit(ROOFLINE_S[FITTED], MEASURED_S[FITTED]), preset(name)
    assert machine.launch_s == pytest.approx(fitted.launch_s, rel=5e-3)
    assert machine.efficiency == pytest.approx(fitted.efficiency, rel=1e-3)


def test_the_roofline_uses_it() -> None:
    """On the same products, as operators of a network."""
    products = tuple(
        Operator(
            name=f"product_{m}_{k}",
            kind="linear",
            m=m,
            n=n,
            k=k,
            weight_elements=n * k,
            activation_elements=m * k,
            output_elements=m * n,
        )
        for m, n, k in DATA[["M", "N", "K"]].to_numpy().tolist()
    )
    workload = Workload(
        name="products", phase="inference", batch=1, context=1, operators=products, parameters=0, active_parameters=0
    )
    table = roofline(workload, Policy(), A100, measured=True)
    np.testing.assert_allclose(roofline(workload, Policy(), A100)["time_s"], ROOFLINE_S, rtol=1e-12)
    np.testing.assert_allclose(table["time_s"], MEASURED_S, rtol=0.1)
    ops = 2 * DATA["M"] * DATA["N"] * DATA["K"]
    np.testing.assert_allclose(table["attainable_ops_per_s"] * table["time_s"], ops, rtol=1e-12)
    assert table["bound"].to_numpy()[[0, 9, 10]].tolist() == ["memory", "compute", "launch"]


@given(st.floats(1e-7, 1e-4), st.floats(0.1, 1), st.lists(st.floats(1.5, 4), min_size=3, max_size=6))
def test_an_exact_law_is_found(launch_s: float, efficiency: float, steps: list[float]) -> None:
    ideal, law = 1e-6 * np.cumprod(steps), Silicon(launch_s, efficiency)
    assert fit(ideal, law.time_s(ideal)) == pytest.approx(law, rel=1e-6)
    np.testing.assert_allclose(leave_one_out(ideal, law.time_s(ideal)), law.time_s(ideal), rtol=1e-6)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ([1.0], r"measured_s is \[1.0\]; expected two or more positive times"),
        ([1.0, np.nan], "expected two or more positive times"),
        ([1.0, -1.0], "expected two or more positive times"),
        ([1.0, 3.0], "the best launch overhead is -1 s; expected measurements that grow with the roofline"),
        ([3.0, 1.0], "expected measurements that grow with the roofline"),
    ],
)
def test_measurements_that_say_nothing(measured: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(np.arange(1.0, len(measured) + 1), measured)
