from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from hwexplore.errors import InputError
from hwexplore.quality import Distribution, Gaussian, Laplace, OutlierChannels, StudentT

SCIPY = {
    "gaussian": stats.norm(),
    "laplace": stats.laplace(scale=np.sqrt(0.5)),
    "student_t(2.5)": stats.t(2.5, scale=np.sqrt(0.2)),
    "student_t(8)": stats.t(8, scale=np.sqrt(0.75)),
}
POINTS = np.array([-9.0, -2.5, -0.3, 0.0, 0.7, 4.0, 20.0])


@pytest.mark.parametrize("name", SCIPY)
def test_moments_against_numerical_integration(name: str) -> None:
    law = SCIPY[name]
    expected = [[quad(lambda t, k=k: t**k * law.pdf(t), 0, x, limit=200)[0] for x in POINTS] for k in range(3)]
    moments = Distribution.parse(name).moments(POINTS)
    at_zero = Distribution.parse(name).moments(np.zeros(1))
    for moment, start, integral in zip(moments, at_zero, expected, strict=True):
        np.testing.assert_allclose(moment - start, integral, atol=1e-8)
    np.testing.assert_allclose(moments[0], law.cdf(POINTS), rtol=1e-9)


@pytest.mark.parametrize("name", [*SCIPY, "outliers(0.01, 20)"])
def test_variance_one_and_symmetry(name: str) -> None:
    far = np.array([-1e9, 0.0, 1e9])
    probability, mean, power = Distribution.parse(name).moments(far)
    np.testing.assert_allclose(probability, [0, 0.5, 1], atol=1e-9)
    np.testing.assert_allclose(mean[[0, 2]], 0, atol=1e-6)
    np.testing.assert_allclose(power, [0, 0.5, 1], atol=1e-4)  # a heavy tail reaches beyond 1e9


@pytest.mark.parametrize("name", SCIPY)
def test_upper_quantiles(name: str) -> None:
    p = np.array([1e-12, 1e-6, 0.01, 0.3])
    np.testing.assert_allclose(Distribution.parse(name).upper_quantile(p), SCIPY[name].isf(p), rtol=1e-6)


def test_outlier_channels_are_a_mixture() -> None:
    """Standard deviations 1 / sqrt(0.99 + 0.01 x 400) and 20 times that."""
    usual = 1 / np.sqrt(4.99)
    outliers = OutlierChannels(0.01, 20)
    expected = 0.99 * stats.norm.sf(POINTS / usual) + 0.01 * stats.norm.sf(POINTS / usual / 20)
    np.testing.assert_allclose(1 - outliers.moments(POINTS)[0], expected, atol=1e-14)
    p = np.array([1e-9, 1e-3, 0.2])
    np.testing.assert_allclose(1 - outliers.moments(outliers.upper_quantile(p))[0], p, rtol=1e-6)
    x = outliers.sample(np.random.default_rng(0), 500, 2000)
    assert 8 < (x.std(axis=0) > 3 * usual).sum() < 35
    parts = [
        0.99 * Gaussian().moments(POINTS / usual)[2] * usual**2,
        4 / 4.99 * Gaussian().moments(POINTS / usual / 20)[2],
    ]
    np.testing.assert_allclose(outliers.moments(POINTS)[2], sum(parts))


@pytest.mark.parametrize("name", SCIPY)
def test_samples_follow_the_distribution(name: str) -> None:
    x = Distribution.parse(name).sample(np.random.default_rng(1), 100, 200)
    assert x.shape == (100, 200)
    assert stats.kstest(x.ravel(), SCIPY[name].cdf).pvalue > 1e-3


@pytest.mark.parametrize("distribution", [Gaussian(), Laplace(), StudentT(4.5), OutlierChannels(0.02, 10)])
def test_text_and_back(distribution: Distribution) -> None:
    assert Distribution.parse(str(distribution)) == distribution


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("normal", "unknown distribution 'normal'"),
        ("student_t(2)", "nu of student_t is 2; it must be above 2"),
        ("student_t(nan)", "nu of student_t is nan; it must be above 2"),
        ("student_t", r"distribution 'student_t' is malformed; expected gaussian, laplace, student_t\(5\)"),
        ("student_t(five)", "distribution 'student_t.five.' is malformed"),
        ("gaussian(1)", "is malformed"),
        ("outliers(0, 3)", "share of outliers is 0; it must be between 0 and 1"),
        ("outliers(0.1, 0.5)", "ratio of outliers is 0.5; it must be at least 1"),
        ("?", r"unknown distribution '\?'"),
    ],
)
def test_refusals(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Distribution.parse(text)
