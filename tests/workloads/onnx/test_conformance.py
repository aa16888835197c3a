"""The models of ONNX's own conformance tests: one or a few nodes of every operator, in every spelling."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_graphs import save

from hwexplore.errors import InputError
from hwexplore.workloads import Policy, load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(pytest.importorskip("onnx.backend.test.case.node").collect_testcases(None))


def test_every_operator_gives_a_workload_or_a_sentence(cases: list[Any], tmp_path: Path) -> None:
    sentences = []
    for case in cases:
        path = save(case.model, tmp_path)
        try:
            workload = load(path)
        except InputError as error:
            sentences.append(str(error))
            continue
        numbers = workload.to_frame(workload.policy or Policy()).drop(columns=["name", "kind"]).to_numpy(float)
        assert np.isfinite(numbers).all(), case.name
        assert (numbers >= 0).all(), case.name
    known = ("computes nothing", "leaves dimensions open", "has no shape")
    assert [sentence for sentence in sentences if not any(part in sentence for part in known)] == []


@pytest.mark.parametrize(
    "op_type", ["Conv", "ConvTranspose", "MatMul", "Gemm", "MaxPool", "LayerNormalization", "Softmax", "Resize", "Relu"]
)
def test_outputs_have_the_size_that_the_tests_expect(cases: list[Any], op_type: str, tmp_path: Path) -> None:
    """Weights are inputs in these models, so every operand is an activation."""
    checked = 0
    for case in cases:
        if [node.op_type for node in case.model.graph.node] != [op_type]:
            continue
        try:
            workload = load(save(case.model, tmp_path))
        except InputError:
            continue
        for operator in workload.operators:
            checked += 1
            assert operator.output_elements == np.asarray(case.data_sets[0][1][0]).size, case.name
    assert checked > 0
