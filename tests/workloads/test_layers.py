from __future__ import annotations

from dataclasses import replace

from hwexplore.workloads.layers import conv, fold, linear, vector
from hwexplore.workloads.primitives import matmul


def test_products_count_their_operands() -> None:
    product = linear("l", batch=2, m=3, n=5, k=7, bias=11)
    assert (product.macs, product.is_gemm) == (2 * 3 * 5 * 7, True)
    assert product.weight_elements == 2 * 5 * 7 + 11
    assert (product.activation_elements, product.output_elements, product.kv_elements) == (2 * 3 * 7, 2 * 3 * 5, 0)
    cached = linear("k", m=3, n=5, k=7, to_cache=True)
    assert (cached.output_elements, cached.kv_elements) == (0, 15)
    scores = matmul("a", batch=2, m=3, n=5, k=7)
    assert (scores.weight_elements, scores.kv_elements, scores.is_gemm) == (0, 2 * 5 * 7, True)


def test_a_convolution_reads_its_input_once() -> None:
    operator = conv("c", groups=4, m=49, n=2, k=9, inputs=100, outputs=392, bias=8)
    assert operator.macs == 4 * 49 * 2 * 9
    assert operator.weight_elements == 4 * 2 * 9 + 8
    assert operator.activation_elements == 100
    assert operator.is_gemm


def test_vector_operators_keep_their_last_axis() -> None:
    operator = vector("v", "activation", (2, 3, 5), reads=30, vector_ops=60)
    assert (operator.m, operator.n, operator.k, operator.macs, operator.is_gemm) == (6, 5, 0, 0, False)
    scalar = vector("s", "reduction", (), reads=7, vector_ops=7)
    assert (scalar.m, scalar.n, scalar.output_elements) == (1, 1, 1)


def test_fold_counts_what_differs_in_name_only() -> None:
    first, second = linear("a", m=1, n=2, k=3), linear("b", m=1, n=2, k=3)
    other = linear("c", m=1, n=2, k=4)
    rows = fold([(first, "x"), (other, "x"), (second, "x"), (second, "y")])
    assert rows == [(replace(first, count=2), "x"), (other, "x"), (second, "y")]
