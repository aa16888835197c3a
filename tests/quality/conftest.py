from __future__ import annotations

import pandas as pd
import pytest

from hwexplore.quality.profile import Profile
from hwexplore.workloads import Operator, Workload


def linear(name: str, n: int, k: int) -> Operator:
    return Operator(
        name=name,
        kind="linear",
        m=1,
        n=n,
        k=k,
        weight_elements=n * k,
        activation_elements=k,
        output_elements=n,
    )


@pytest.fixture(scope="session")
def small_workload() -> Workload:
    """Two layers of two products and a norm, attention, and a head."""
    operators = [
        Operator(name="embedding", kind="embedding", m=1, n=256, weight_elements=256, output_elements=256),
        *(
            linear(f"layers.{i}.{name}", n, k)
            for i in (0, 1)
            for name, n, k in (("up", 1024, 256), ("down", 256, 1024))
        ),
        Operator(name="layers.1.norm", kind="norm", m=1, n=256, activation_elements=256, output_elements=256),
        Operator(name="layers.1.qk", kind="attention", m=4, n=64, k=64, activation_elements=256, kv_elements=4096),
        linear("head", 2048, 256),
    ]
    return Workload(
        name="small",
        phase="decode",
        batch=1,
        context=64,
        operators=tuple(operators),
        parameters=1_600_000,
        active_parameters=1_600_000,
    )


ROWS = [
    *(
        (f"layers.{i}.{name}", "weights", format, loss / scale)
        for i, name, scale in ((0, "up", 1), (0, "down", 4), (1, "up", 2), (1, "down", 32))
        for format, loss in (("int4_channel", 0.1), ("int8_channel", 0.001))
    ),
    *((f"layers.{i}.{name}", "activations", "int8", 0.002) for i in (0, 1) for name in ("up", "down")),
    ("head", "weights", "int8_channel", 0.05),
    ("head", "weights", "int4_channel", 0.5),
    ("head", "activations", "int8", 0.01),
    ("layers.1.qk", "activations", "int8", 0.003),
    ("layers.1.qk", "kv_cache", "int8", 0.004),
]


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """A profile's rows for the small workload."""
    return pd.DataFrame(ROWS, columns=["layer", "operand", "format", "loss_increase"])


@pytest.fixture(scope="session")
def profile(table: pd.DataFrame) -> Profile:
    return Profile(network="small", metric="nats per token", proxy="one_at_a_time", source="made up", table=table)
