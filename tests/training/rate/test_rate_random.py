"""The compiled normal and uniform numbers, and their streams."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from neuronsim.training.compiled.random_numbers import fill_normal, fill_uniform, one_normal, stream


def normals(n, *key):
    out = np.empty(n, np.float32)
    fill_normal(stream(np.array(key, np.int64)), out, n)
    return out.astype(np.float64)


@njit
def _one_by_one(state, out):
    for k in range(out.size):
        out[k] = one_normal(state)


def singles(n, *key):
    out = np.empty(n)
    _one_by_one(stream(np.array(key, np.int64)), out)
    return out


@pytest.mark.parametrize("draw", [normals, singles])
def test_normal_numbers_are_normal_and_independent(draw):
    x = draw(1_000_000, 1, 2)
    assert stats.kstest(x, "norm").pvalue > 0.01
    # the tail beyond the ziggurat's last layer, and the fourth moment
    for limit in (2.0, 3.0, 3.6541528853610088, 4.0):
        expected = 2e6 * stats.norm.sf(limit)
        assert abs((np.abs(x) > limit).sum() - expected) < 5 * expected**0.5
    assert (x**4).mean() == pytest.approx(3, abs=5 * (96 / 1e6) ** 0.5)
    for lag in (1, 2, 3, 16, 32):  # 16 generators side by side, two numbers each
        assert abs(np.mean(x[:-lag] * x[lag:])) < 5e-3
        assert abs(np.mean(x[:-lag] ** 2 * x[lag:] ** 2) - 1) < 5 * (8 / 1e6) ** 0.5


def test_uniform_numbers_are_uniform():
    out = np.empty(200_000)
    fill_uniform(stream(np.array([3], np.int64)), out, out.size)
    assert stats.kstest(out, "uniform").pvalue > 0.01


def test_streams_differ_by_every_part_of_their_key():
    first = normals(1000, 0, 1, 2)
    assert np.array_equal(first, normals(1000, 0, 1, 2))
    others = [normals(1000, *key) for key in ((0, 1, 3), (0, 2, 2), (1, 1, 2), (0, 1), (0, 1, 2, 0), (2, 1, 0))]
    for other in others:
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.15


def test_a_stream_goes_on_where_it_stopped():
    state, parts = stream(np.array([7], np.int64)), np.empty(96, np.float32)
    fill_normal(state, parts[:64], 64)
    fill_normal(state, parts[64:], 30)  # the rest of a group of 32 is dropped
    assert np.array_equal(parts[:94], normals(94, 7).astype(np.float32))


def test_both_kinds_of_normal_numbers_have_generators_of_their_own():
    assert abs(np.corrcoef(normals(1000, 5), singles(1000, 5))[0, 1]) < 0.15
