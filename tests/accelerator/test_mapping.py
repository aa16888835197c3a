from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.accelerator import Choices, Model, mapping
from hwexplore.accelerator.mapping import Mapper
from hwexplore.accelerator.tiling import STAYS, best_tiling
from hwexplore.search import Problem, Space
from hwexplore.technology import Technology
from hwexplore.workloads import Operator, Workload, layers

VALUES: dict[str, Any] = {
    "pe": ["mac(int4, int8, acc=int24 sat)", "mac(int8, int8, acc=int32)", "dot(int8, int8, lanes=16, acc=int32)"],
    "rows": [1, 16],
    "cols": [64],
    "vector_lanes": [16, 64],
    "sram_kib": [64, 512],
    "policy": ["int4_g128/int8/int8", "int4_g128/int8/int4", "int8_channel/int8/int8", "int4_g128>fp16/fp16/fp16"],
}


@pytest.fixture(scope="module")
def problem(nangate45: Technology) -> Problem:
    return Problem(Space(**VALUES), workloads.load("llama-2-7b", phase="prefill", context=300), nangate45)


def mapper(problem: Problem) -> Mapper:
    model = problem.model
    return Mapper(model.operators, model.placement, model.pes.accumulator_bits, model.choices)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many designs each call of the solver gets."""
    calls: list[int] = []

    def solve(products: Any) -> Any:
        calls.append(len(products.space))
        return best_tiling(products)

    monkeypatch.setattr(mapping, "best_tiling", solve)
    return calls


def test_shared_solutions_are_those_of_each_design(problem: Problem, counted: list[int]) -> None:
    ids = np.random.default_rng(0).choice(problem.space.size, 500, replace=False)
    index = problem.space.indices(ids)
    shared = mapper(problem)
    found = shared.mapped(index).again_bytes
    assert sum(counted) < 200
    np.testing.assert_array_equal(found, mapper(problem).tiling(index).again_bytes)
    np.testing.assert_array_equal(found, shared.mapped(index).again_bytes)
    assert 0 < np.isfinite(found).all(axis=1).sum() < len(ids) or np.isfinite(found).all()


def test_a_mesh_gives_what_columns_give(problem: Problem) -> None:
    shared = mapper(problem)
    for ids, mesh in problem.space.blocks(1000):
        columns = mapper(problem).mapped(problem.space.indices(ids)).again_bytes
        shape = np.broadcast_shapes(*(axis.shape for axis in mesh.values()))
        found = np.broadcast_to(shared.mapped(mesh).again_bytes, (*shape, columns.shape[1]))
        np.testing.assert_array_equal(found.reshape(columns.shape), columns)


def test_no_designs(problem: Problem) -> None:
    index = problem.space.indices(np.arange(0))
    assert mapper(problem).mapped(index).again_bytes.shape == mapper(problem).tiling(index).tile_m.shape == (0, 19)


def test_nothing_is_solved_twice(problem: Problem, counted: list[int]) -> None:
    shared = mapper(problem)
    index = problem.space.indices(np.arange(problem.space.size))
    shared.mapped(index)
    solved = sum(counted)
    shared.mapped(index)
    assert sum(counted) == solved < problem.space.size / 20
    pickle.loads(pickle.dumps(shared)).mapped(index)
    assert sum(counted) == 2 * solved


def test_what_is_kept_is_bounded(problem: Problem, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [index for _, index in problem.space.blocks(300)]
    expected = [mapper(problem).mapped(index).again_bytes for index in blocks]
    for most in (0, 1000, 4000):
        monkeypatch.setattr(mapping, "KEPT_BYTES", most)
        shared = mapper(problem)
        for index, again in zip(blocks, expected, strict=True):
            np.testing.assert_array_equal(shared.mapped(index).again_bytes, again)
            keys, values = shared._kept
            assert keys.nbytes + values.nbytes <= most + 8 * (1 + values[0].size)


def one(operator: Operator, nangate45: Technology, **values: Any) -> tuple[Model, dict[str, Any]]:
    """A model of one operator on one design, and its index."""
    workload = Workload(
        name="one", phase="inference", batch=1, context=1, operators=(operator,), parameters=1, active_parameters=1
    )
    design = {"vector_lanes": 16, "dram": "hbm2", "channels": 1, "clock_mhz": 100, "voltage": 1.1, "dataflow": "os"}
    design |= {"pe": "mac(int8, int8, acc=int32)", "rows": 4, "cols": 4, "policy": "int8/int8/int8"} | values
    model = Model(workload, nangate45, Choices({name: [value] for name, value in design.items()}))
    return model, {name: np.array(0) for name in design}


def product(m: int, n: int, k: int, batch: int = 1) -> Operator:
    return layers.linear("product", m=m, n=n, k=k, batch=batch)


@pytest.mark.parametrize(
    ("operator", "sram_bytes", "again"),
    [
        # blocks of 8 x 16 outputs stay: A comes twice, B eight times
        (product(64, 32, 64), 2 * (8 * 16 * 4 + 8 + 16), 64 * 64 + 7 * 32 * 64),
        # each of a batch like that
        (product(64, 32, 64, batch=3), 2 * (8 * 16 * 4 + 8 + 16), 3 * (64 * 64 + 7 * 32 * 64)),
        # a matrix by a vector
        (product(1, 4096, 64), 2 * (64 + 4 * 64 + 4 * 4), 0),
        # 3 x 3 over a 16 x 16 image of 8 channels: the input counts once, not nine times, in buffer and traffic
        (layers.conv("conv", groups=1, m=256, n=32, k=72, inputs=2048, outputs=8192), 2 * 7000, 0),
        # two groups, each of half of that
        (layers.conv("conv", groups=2, m=256, n=16, k=36, inputs=2048, outputs=8192), 2 * 3600, 0),
        # depthwise
        (layers.conv("conv", groups=32, m=256, n=1, k=9, inputs=8192, outputs=8192), 2 * 60, 0),
    ],
)
def test_by_hand(
    operator: Operator, sram_bytes: int, again: float, nangate45: Technology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "STREAMED", 1e-9)
    model, index = one(operator, nangate45, sram_kib=sram_bytes / 1024)
    assert model.mapper.mapped(index).again_bytes.tolist() == [again]


@pytest.mark.parametrize(
    ("dataflow", "tile"), [("os", (4, 8, 1)), ("ws", (1, 8, 4)), ("is", (8, 1, 4))], ids=["os", "ws", "is"]
)
def test_tiles_are_multiples_of_what_the_array_takes(
    dataflow: str, tile: tuple[int, ...], nangate45: Technology
) -> None:
    m, n, k = tile
    half = m * k + k * n + 4 * m * n
    model, index = one(product(640, 640, 640), nangate45, cols=8, dataflow=dataflow, sram_kib=2 * half / 1024)
    found = model.mapper.tiling(index)
    assert (found.tile_m[0], found.tile_n[0], found.tile_k[0]) == tile
    smaller, index = one(product(640, 640, 640), nangate45, cols=8, dataflow=dataflow, sram_kib=(2 * half - 1) / 1024)
    assert np.isinf(smaller.mapper.mapped(index).again_bytes).all()


@pytest.mark.parametrize(("dataflow", "streams"), [("os", "k"), ("ws", "m"), ("is", "n")])
def test_operands_stream_for_longer_than_the_array_fills(dataflow: str, streams: str, nangate45: Technology) -> None:
    """A fold of 8 x 8 takes 22 cycles to fill and drain, and tiles stream for 352 if the buffer has room."""
    small, index = one(product(512, 512, 512), nangate45, rows=8, cols=8, dataflow=dataflow, sram_kib=16)
    large, _ = one(product(512, 512, 512), nangate45, rows=8, cols=8, dataflow=dataflow, sram_kib=64)
    whole, _ = one(product(512, 512, 512), nangate45, rows=8, cols=8, dataflow=dataflow, sram_kib=4096)
    sides = [float(getattr(model.mapper.tiling(index), f"tile_{streams}")[0]) for model in (small, large, whole)]
    assert 0 < sides[0] < sides[2] == 512
    assert sides[1] >= 16 * 22
    for model, side in zip((small, large, whole), sides, strict=True):
        setups = float(model.mapper.mapped(index).setups[0])
        tiling = model.mapper.tiling(index)
        assert setups in (1, np.ceil(512 / side))
        cycles = model.breakdown(index).seconds["array"] * 100e6
        assert cycles == pytest.approx(64 * 64 * (512 + setups * 22))
        if setups == 1 < 512 / side:
            assert sorted(float(getattr(tiling, f"tile_{other}")[0]) for other in "mnk" if other != streams) == [8, 8]


def test_the_vector_unit_tiles_by_its_lanes(nangate45: Technology) -> None:
    half = 2 + 16 * 2 + 16 * 4
    model, index = one(product(64, 64, 64), nangate45, policy="fp16/fp16/fp16", sram_kib=2 * half / 1024)
    found = model.mapper.tiling(index)
    assert (found.tile_m[0], found.tile_n[0], found.tile_k[0]) == (1, 16, 1)


def test_formats_that_widen_on_the_way_from_dram_take_more_buffer(nangate45: Technology) -> None:
    again = []
    for policy in ("int4>int8@edge/int8/int8", "int4>int8@dram/int8/int8"):
        model, index = one(product(4096, 512, 512), nangate45, policy=policy, sram_kib=2 * 140)
        again.append(float(model.mapper.mapped(index).again_bytes[0]))
    assert again[0] == 0 < again[1]


def test_what_is_no_product_moves_once(problem: Problem) -> None:
    index = problem.space.indices(np.arange(3))
    products = problem.model.operators.is_gemm
    assert not problem.model.mapper.mapped(index).again_bytes[:, ~products].any()
    assert set(problem.model.mapper.tiling(index).stays.ravel()) <= set(range(len(STAYS)))


@pytest.mark.parametrize("fused", [(), ("attention", "elementwise")])
def test_terms_sum_to_the_traffic(fused: tuple[str, ...], nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="prefill", context=3000, fuse=fused)
    problem = Problem(Space(**{**VALUES, "dataflow": ["os", "ws"], "sram_kib": [32, 64]}), workload, nangate45)
    index = problem.space.indices(np.arange(0, problem.space.size, 211))
    moved, breakdown = problem.model.mapper.moved(index), problem.model.breakdown(index)
    assert list(moved) == ["activations", "weights", "outputs", "partial sums"]
    fits = np.isfinite(breakdown.traffic_bytes)
    total = np.broadcast_to(np.asarray(sum(moved.values())), fits.shape)
    np.testing.assert_allclose(total[fits], breakdown.traffic_bytes[fits], rtol=1e-12)
    assert np.isinf(total[~fits]).all()
    compulsory = problem.model.operators.a_bytes[index["policy"]]
    assert np.all(moved["activations"] >= compulsory)
    assert np.any(moved["activations"][fits] > compulsory[fits])


def test_shortage_says_what_and_how_much(nangate45: Technology) -> None:
    model, index = one(product(512, 512, 512), nangate45, rows=64, cols=64, sram_kib=32)
    text = model.mapper.shortage(index, [operator.name for operator in model.workload.operators])
    assert text == "product needs 32.25 KiB for two sets of its smallest tiles, 64 x 64 x 1, but sram_kib is 32"
    need = float(re.findall(r"([\d.]+) KiB", text)[0])
    enough, index = one(product(512, 512, 512), nangate45, rows=64, cols=64, sram_kib=need)
    assert np.isfinite(enough.mapper.mapped(index).again_bytes).all()
