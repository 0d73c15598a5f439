"""Figures of merit without the report: what a user computes from a dataset alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuronsim.analysis.chip_yield import chip_lot
from neuronsim.analysis.corners import extremes, point_runs, reset_rows, reset_verdict, resets
from neuronsim.analysis.energy import always_on, energy_by_plan, energy_per_spike
from neuronsim.analysis.firing_rate import interval_variation, netlist_law, rates_by_current
from neuronsim.analysis.run_counts import run_counts
from neuronsim.artifacts.dataset import Characterization, select


@pytest.fixture(scope="module")
def transistor():
    return Characterization.load(Path(__file__).parents[2] / "benchmarks" / "transistor.nc").data


def test_counts_of_the_plans_add_up(transistor):
    *plans, every = run_counts(transistor)
    assert every.runs == transistor.sizes["run"] == sum(plan.runs for plan in plans)
    assert all(plan.ok + plan.failed == plan.runs and plan.silent + plan.retried <= 2 * plan.ok for plan in plans)


def test_typical_lies_between_the_extremes_and_the_worst_point_is_one_of_them(transistor):
    rows = select(transistor, "corners", ok=False)
    runs = point_runs(rows)
    assert len(runs) == rows.sizes["run"]
    for one in extremes(rows):
        assert one.low <= one.typical <= one.high
        values = one.quantity.values[[run.point == one.worst_at for run in runs]]
        assert values[0] in (pytest.approx(one.low), pytest.approx(one.high))
        assert one.worst_change == pytest.approx(values[0] / one.typical - 1)


def test_energy_of_the_blocks_is_that_of_the_spike(transistor):
    rows = select(transistor, "energy")
    every = energy_per_spike(rows)
    assert every
    for one in every:
        assert sum(one.active_by_block_j.values()) == pytest.approx(one.active_j, rel=1e-3)
        assert sum(one.always_on_by_block_j.values()) == pytest.approx(one.always_on_j, rel=1e-3)
    assert sorted(one.always_on_j for one in every) == pytest.approx(sorted(always_on(rows)[rows["level"].values >= 0]))
    whole = rows["energy_j"].values
    assert energy_by_plan(transistor)["energy"].median == pytest.approx(np.median(whole))


def test_resets_and_chips_by_run(transistor):
    assert [one.verdict for one in resets(transistor)] == reset_verdict(reset_rows(transistor)).tolist()
    lot = chip_lot(transistor)
    assert lot is not None
    assert lot.good.sum() <= lot.fires.sum() <= lot.fires.size
    assert abs(lot.worst_shift) == np.abs(lot.shift).max()


def test_rates_follow_the_netlist(make_rate):
    rows = select(make_rate(charge=1e-14), "fi")
    assert netlist_law(rows) is None
    rows = rows.assign(
        {f"parameter_{name}": ("run", np.full(40, value)) for name, value in (("cmem", 1e-14), ("vth", 1.0))}
    )
    law = netlist_law(rows)
    assert law is not None
    for row in rates_by_current(rows):
        assert row.rate_hz == pytest.approx(float(law(np.array([row.current_a]))[0]), rel=0.05)


def test_a_coefficient_of_variation_lies_within_its_interval():
    (row,) = interval_variation(*(np.array([value]) for value in (1e-8, 2e-9, 1e-20, 30.0, np.nan)))
    assert row.measured.value == pytest.approx(0.05)
    assert row.measured.low < row.measured.value < row.measured.high
    assert np.isnan(row.floor)
