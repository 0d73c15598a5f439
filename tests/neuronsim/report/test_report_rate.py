"""The datasheet's section on interval jitter."""

from __future__ import annotations

import numpy as np
import pytest

import neuronsim
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.isi_jitter_fit import interval_spreads
from neuronsim.calibration.prediction import card_interval_variation
from neuronsim.neuron.firing_rate import interval
from neuronsim.neuron.interval_noise import interval_variance
from neuronsim.report.chapters.card import card_section
from neuronsim.report.chapters.firing_rate import interval_jitter_section
from neuronsim.report.page.elements import Table


@pytest.mark.parametrize(("rheobase", "refractory"), [(0.0, 0.0), (3e-9, 2e-8)])
def test_card_and_measured_intervals_stand_side_by_side(make_rate, rheobase, refractory):
    density = 5e-26
    data = make_rate(rheobase=rheobase, refractory=refractory, density=density)
    card = neuronsim.calibrate(data)
    assert isinstance(card, RateCard)
    current = np.geomspace(20e-9, 200e-9, 5)
    sigma = np.sqrt(interval_variance(current, density=density, charge_per_spike=1e-14, rheobase=rheobase))
    truth = sigma / interval(current, charge_per_spike=1e-14, rheobase=rheobase, refractory=refractory)
    assert card_interval_variation(card, current) == pytest.approx(truth, rel=0.1)
    section = interval_jitter_section(data, "x.nc", card)
    assert section is not None
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert len(table.rows) == 8
    assert all(abs(float(row[-1].rstrip(" %"))) < 35 for row in table.rows)  # 5 runs of 28 intervals
    found = interval_spreads(data)
    assert (found.floor < 1e-12 * found.variance).all()


def test_without_a_card_or_the_plan(make_rate):
    section = interval_jitter_section(make_rate(density=5e-26), "x.nc", None)
    assert section is not None
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert "card" not in table.header
    assert interval_jitter_section(make_rate(), "x.nc", None) is None


def test_card_of_a_rate_neuron_speaks_of_rates_and_has_no_zero_for_what_is_not_fitted(make_rate):
    card = neuronsim.calibrate(make_rate())
    assert card.not_fitted.keys() >= {"isi_jitter", "threshold_mismatch"}
    assert card.threshold_mismatch.value == 0  # in the file
    tables = [block for block in card_section(card, "card.json").blocks if isinstance(block, Table)]
    rows = {row[1]: row[2:4] for row in tables[0].rows}
    assert [rows[name] for name in ("isi jitter", "threshold mismatch")] == [("–", "not fitted")] * 2
    (judged,) = [table for table in tables if table.caption.startswith("Held-out runs")]
    assert "f_card / f_circuit" in judged.caption
    assert "t_card" not in judged.caption
