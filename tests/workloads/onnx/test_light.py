"""The graphs in the onnx wheel against their published sizes."""

from __future__ import annotations

import time

import pytest
from onnx_graphs import LIGHT

from hwexplore.workloads import Policy, load

PUBLISHED = {
    "bvlc_alexnet": ("0.655", "61.0"),
    "densenet121": ("2.83", "7.9"),
    "inception_v1": ("1.43", "7.0"),
    "inception_v2": ("2.02", "11.2"),
    "resnet50": ("4.09", "25.5"),
    "shufflenet": ("0.125", "1.4"),
    "squeezenet": ("0.349", "1.2"),
    "vgg19": ("19.6", "143.7"),
    "zfnet512": ("1.48", "87.2"),
}
"""GMAC and millions of weights of products."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name: str) -> None:
    workload = load(LIGHT / f"light_{name}.onnx")
    products = [operator for operator in workload.operators if operator.is_gemm]
    macs = sum(operator.count * operator.macs for operator in products)
    weights = sum(operator.count * operator.weight_elements for operator in products)
    gmac, millions = PUBLISHED[name]
    assert macs / 1e9 == pytest.approx(float(gmac), abs=0.6 * 10 ** -len(gmac.partition(".")[2]))
    assert weights / 1e6 == pytest.approx(float(millions), abs=0.06)
    assert (workload.phase, workload.batch, workload.tokens) == ("inference", 1, 1)
    assert workload.policy is None
    assert not workload.unmodelled
    assert workload.to_frame(Policy())["name"].is_unique


def test_resnet_50_is_that_of_the_catalogue() -> None:
    """MACs and parameters; the file has normalization apart and strides where torchvision has them."""
    graph, built = load(LIGHT / "light_resnet50.onnx"), load("resnet-50")
    for workload in (graph, built):
        assert sum(operator.count * operator.macs for operator in workload.operators) == 4_089_184_256
    assert graph.parameters == built.parameters

    def convolutions(workload: object) -> dict[tuple[float, ...], int]:
        found: dict[tuple[float, ...], int] = {}
        for o in workload.operators:  # type: ignore[attr-defined]
            if o.kind == "conv":
                key = (o.batch, o.m, o.n, o.k, o.activation_elements, o.output_elements)
                found[key] = found.get(key, 0) + o.count
        return found

    assert convolutions(graph) == convolutions(built)


def test_import_is_quick() -> None:
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        load(LIGHT / "light_resnet50.onnx")
        durations.append(time.perf_counter() - start)
    assert min(durations) < 1
