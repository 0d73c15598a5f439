"""Intervals of accuracies: coverage over chips and images, known cases, and none from a single value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from neuronsim.errors import DataError, InputError
from neuronsim.statistics.crossed import accuracy_interval, difference_interval
from neuronsim.statistics.proportions import wilson
from neuronsim.statistics.student import difference, over_draws, over_values, paired_images
from neuronsim.training.packed_answers import pack, unpack


def table(
    generator: np.random.Generator, chips: int, images: int, *, chip: float = 0.4, image: float = 1.5
) -> np.ndarray:
    """Answers (chips, images) of a probit law: spreads of chips, of images, and 0.5 of both together."""
    level = 3.0 + chip * generator.normal(size=(chips, 1)) + image * generator.normal(size=(1, images))
    return level + 0.5 * generator.normal(size=(chips, images)) > 0


def ends(found: tuple[float, float | None, float | None]) -> tuple[float, float]:
    _, low, high = found
    assert low is not None
    assert high is not None
    return low, high


@pytest.mark.parametrize("chips", [3, 20])
def test_interval_over_chips_and_images_covers_new_chips_and_images(chips):
    generator = np.random.default_rng(1)
    truth = stats.norm.cdf(3.0 / math.sqrt(0.4**2 + 1.5**2 + 0.5**2))
    crossed, only_chips = 0, 0
    for _ in range(300):
        right = table(generator, chips, 300)
        low, high = ends(accuracy_interval(right))
        crossed += low <= truth <= high
        low, high = ends(over_draws(list(right.mean(axis=1))))
        only_chips += low <= truth <= high
    assert crossed / 300 > 0.93
    assert only_chips / 300 < crossed / 300 - (0.15 if chips == 20 else 0.02)


def test_interval_agrees_with_a_crossed_bootstrap_on_many_chips():
    generator = np.random.default_rng(2)
    right = table(generator, 40, 400).astype(float)
    means = [right[generator.integers(0, 40, 40)][:, generator.integers(0, 400, 400)].mean() for _ in range(2000)]
    low, high = ends(accuracy_interval(right))
    first, last = np.percentile(means, [2.5, 97.5])
    assert high - low == pytest.approx(last - first, rel=0.15)


def test_chips_that_answer_alike_leave_the_interval_over_the_images():
    one = np.arange(1000) >= 30
    low, high = ends(accuracy_interval([one] * 20))
    assert (low, high) == (
        pytest.approx(wilson(0.97, 1000)[0], abs=1e-4),
        pytest.approx(wilson(0.97, 1000)[1], abs=1e-4),
    )
    low, high = ends(accuracy_interval([np.ones(1000, bool)] * 20))
    assert (low, high) == (pytest.approx(wilson(1.0, 1000)[0], abs=1e-4), 1.0)


def test_difference_on_the_same_chips_and_images_covers_and_is_narrower():
    generator = np.random.default_rng(3)
    covered, widths = 0, []
    for _ in range(300):
        level = 3 + 0.4 * generator.normal(size=(10, 1)) + 1.5 * generator.normal(size=(1, 300))
        a, b = (level + 0.3 * generator.normal(size=level.shape) > 0 for _ in range(2))
        low, high = ends(difference_interval(a, b, paired=True))
        loose = ends(difference_interval(a, b, paired=False))
        covered += low <= 0 <= high
        widths.append((high - low, loose[1] - loose[0]))
    assert covered / 300 > 0.92
    assert np.mean(widths, axis=0)[0] < 0.7 * np.mean(widths, axis=0)[1]
    assert difference_interval(a, a, paired=True) == (0.0, 0.0, 0.0)


def test_independent_chips_on_the_same_images_cover():
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        images = 1.5 * generator.normal(size=(1, 300))
        a, b = (
            3 + images + 0.6 * generator.normal(size=(6, 1)) + 0.5 * generator.normal(size=(6, 300)) > 0 for _ in "ab"
        )
        low, high = ends(difference_interval(a, b, paired=False))
        covered += low <= 0 <= high
    assert covered / 300 > 0.92


def test_a_single_value_has_no_interval():
    assert over_draws([0.9]) == (0.9, None, None)
    assert over_values([3.0]) == (3.0, None, None)
    assert difference([0.9], [0.8], paired=True) == (pytest.approx(0.1), None, None)
    assert difference([0.9], [0.8, 0.7], paired=False)[1:] == (None, None)
    assert accuracy_interval([[True, False]]) == (0.5, None, None)
    assert accuracy_interval([[True], [False]]) == (0.5, None, None)
    assert difference_interval([[True, True]], [[True, False]], paired=True) == (0.5, None, None)


def test_t_interval_of_a_mean():
    mean, low, high = over_values([1.0, 2.0, 4.0])
    half = stats.t.ppf(0.975, 2) * np.std([1.0, 2.0, 4.0], ddof=1) / math.sqrt(3)
    assert (mean, low, high) == (pytest.approx(7 / 3), pytest.approx(7 / 3 - half), pytest.approx(7 / 3 + half))
    assert over_draws([0.99, 1.0, 0.9])[2] == 1.0


def test_paired_difference_over_images_covers_and_keeps_a_width():
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        kind = generator.choice(4, size=1000, p=[0.97, 0.01, 0.015, 0.005])  # both, only a, only b, none right
        found, low, high = paired_images((kind == 0) | (kind == 1), (kind == 0) | (kind == 2))
        assert found == pytest.approx(((kind == 1).sum() - (kind == 2).sum()) / 1000)
        covered += low <= -0.005 <= high
    assert 0.92 < covered / 400 < 0.985
    found, low, high = paired_images([True] * 100, [True] * 100)
    assert low < found == 0 < high
    with pytest.raises(InputError, match="same images"):
        paired_images([True], [True, False])


def test_answers_are_kept_short_and_whole():
    right = np.random.default_rng(0).random(10_000) < 0.99
    text = pack(right)
    assert len(text) < 2000
    assert np.array_equal(unpack(text), right)
    assert unpack(pack([])).size == 0
    for damaged in ("", text[:-8], "12:!!"):
        with pytest.raises(DataError, match="packed"):
            unpack(damaged)
