"""The law of accumulated jitter against oscillators whose noise is known."""

import numpy as np
import pytest

from neuronsim.analysis.thermal import jitter_law, phase_noise_dbc_hz
from neuronsim.errors import DataError

PERIOD = 2e-9


def oscillators(n, edges, sigma, rng):
    return [np.cumsum(PERIOD + sigma * rng.standard_normal(edges)) for _ in range(n)]


def test_white_frequency_noise_gives_the_square_root():
    law = jitter_law(oscillators(64, 400, 5e-12, np.random.default_rng(1)))
    kappa = 5e-12 / np.sqrt(PERIOD)
    assert law.kappa.value == pytest.approx(kappa, rel=0.05)
    assert law.kappa.low < kappa < law.kappa.high
    assert law.exponent.value == pytest.approx(0.5, abs=0.03)
    assert law.lag[-1] == 10 * law.lag[0]
    assert law.period_s == pytest.approx(PERIOD, rel=1e-3)


def test_independent_edge_noise_does_not_accumulate():
    rng = np.random.default_rng(2)
    series = [PERIOD * np.arange(300) + 1e-12 * rng.standard_normal(300) for _ in range(16)]
    assert abs(jitter_law(series).exponent.value) < 0.05


def test_phase_noise_falls_20_db_per_decade():
    assert phase_noise_dbc_hz(1e-7, 500e6, 1e6) == pytest.approx(20 * np.log10(1e-7 * 500), abs=1e-9)
    assert phase_noise_dbc_hz(1e-7, 500e6, 1e7) == pytest.approx(phase_noise_dbc_hz(1e-7, 500e6, 1e6) - 20)


def test_too_few_edges():
    with pytest.raises(DataError, match="at least 2 oscillators of 10 edges"):
        jitter_law([np.arange(20.0)])
