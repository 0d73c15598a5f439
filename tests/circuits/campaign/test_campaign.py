"""Campaigns survive what decks, workers and people do to them."""

import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuronsim.circuits import characterize, load_manifest, load_plans
from neuronsim.circuits.campaign.cache import Cache
from neuronsim.circuits.campaign.scheduler import run_flows
from neuronsim.circuits.campaign.tasks import Simulation, Urgency, measure
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.plans import Jitter, PhaseNoise, Transfer
from neuronsim.circuits.plans.base import TTFSPlan
from neuronsim.errors import DataError, InputError

POISON = Path(__file__).parent / "poison" / "poison.toml"
BAD = {
    **dict.fromkeys(range(0, 200, 20), 1),
    **dict.fromkeys(range(5, 200, 40), 2),
    **dict.fromkeys(range(11, 200, 40), 3),
}
REASON = {1: "bad_parameter", 2: "timeout", 3: "no_convergence"}


class Poisoned(TTFSPlan):
    """200 stimuli, of which those in BAD carry a poisoned deck."""

    kind = "transfer"
    summary = "for tests"
    poisoned: bool

    def runs(self, manifest, parameters, seed):
        clean = Transfer(trials=201).runs(load_manifest("pll_nlif_averaged"), {}, seed)[1:]
        first = Transfer(trials=1).runs(load_manifest("pll_nlif_averaged"), {}, seed)
        modes = BAD if self.poisoned else {}
        changed = [replace(run, parameters={"mode": float(modes.get(i, 0))}) for i, run in enumerate(clean)]
        return [replace(first[0], parameters={"mode": 0.0}), *changed]


@pytest.mark.slow
def test_campaign_with_poisoned_runs():
    clean = characterize(POISON, [Poisoned(poisoned=False)], cache=False)
    poisoned = characterize(POISON, [Poisoned(poisoned=True)], cache=False, timeout_s=3.0)
    good = np.array([i - 1 not in BAD for i in range(201)])
    assert (~good).sum() == 20
    assert (poisoned["spike_time_s"].values[good] == clean["spike_time_s"].values[good]).all()
    assert np.isnan(poisoned["spike_time_s"].values[~good]).all()
    reasons = poisoned["reason"].values
    assert {i: reasons[i + 1] for i in BAD} == {i: REASON[mode] for i, mode in BAD.items()}
    assert (reasons[good] == "").all()
    tried_again = poisoned["options"].values == "safer"
    assert (tried_again == (reasons == "no_convergence")).all()
    assert (poisoned["attempts"].values[tried_again] == 2).all()


def test_all_rows_failed():
    class Hopeless(TTFSPlan):
        kind = "transfer"
        summary = "for tests"

        def runs(self, manifest, parameters, seed):
            fine = Transfer(trials=2).runs(load_manifest("pll_nlif_averaged"), {}, seed)
            return [replace(run, parameters={"mode": 1.0, "tau": 50e-9 * (1 + run.trial)}) for run in fine]

    with pytest.raises(DataError, match=r"all 2 runs of poison failed: bad_parameter"):
        characterize(POISON, [Hopeless()], cache=False)


def test_netlist_that_ngspice_does_not_take(tmp_path):
    lib = POISON.with_suffix(".lib").read_text().replace("Rsum sum 0 1", "Rsum sum 0 1\nXnone sum nosuch")
    (tmp_path / "poison.lib").write_text(lib)
    (tmp_path / "poison.toml").write_text(POISON.read_text())
    with pytest.raises(DataError, match=r"ngspice does not take .*nosuch"):
        characterize(tmp_path / "poison.toml", [Transfer(trials=500)], cache=False)


def test_what_others_wait_for_goes_first_and_long_runs_before_short_ones():
    manifest = load_manifest("pll_nlif_averaged")
    netlist = read_netlist(manifest)
    run = Transfer(trials=1).runs(manifest, {}, 0)[0]
    order: list[float] = []

    def task(length, urgency=Urgency.RUN):
        job = build(resolve(manifest, replace(run, window_s=run.window_s * length)), netlist)
        return Simulation(job=job, safer=lambda: job, urgency=urgency)

    def slow():
        yield [task(1.1), task(1.3), task(1.2)]
        return "slow"

    def chip():
        (first,) = yield [task(0.9, urgency=Urgency.TRIM)]
        (second,) = yield [
            task(0.8, urgency=Urgency.TRIM)
        ]  # once the first is done it is before all that are not begun
        return first.outcome.spikes_s == second.outcome.spikes_s

    found = run_flows(
        [chip(), slow()],
        engine="ngspice-cli",
        version="39",
        on_done=lambda task, result: order.append(round(task.job.t_stop_s / run.window_s, 3)),
    )
    assert found == [True, "slow"]
    assert order == [0.9, 1.3, 0.8, 1.2, 1.1]


def test_cells_are_measured_beside_the_runs():
    """With one worker, which has two calls ahead: the measurement does not wait for the runs that have not begun."""
    manifest, order = load_manifest("pll_nlif_averaged"), []
    netlist = read_netlist(manifest)
    jobs = [build(resolve(manifest, run), netlist) for run in Transfer(trials=4).runs(manifest, {}, 0)]
    (plan,) = load_plans("synapse")
    (level, *_) = plan.measurements(load_manifest("pll_nlif_transistor"), {}, 0)

    def runs():
        return (yield [Simulation(job=job, safer=lambda job=job: job) for job in jobs])

    simulated, (measured,) = run_flows(
        [runs(), measure([level])],
        engine="ngspice-cli",
        version="39",
        on_done=lambda task, result: order.append(type(task).__name__),
    )
    assert order == ["Simulation", "Simulation", "CellTask", "Simulation", "Simulation"]
    assert len(simulated) == 4
    assert len(measured.outcome.columns["code"]) == 31


def test_same_file_whatever_the_number_of_jobs(tmp_path):
    plans = [Transfer(trials=6), Jitter(trials=2, levels=(0.05,)), PhaseNoise(trials=2, repeats=2)]
    for jobs in (1, 3):
        characterize("pll_nlif_averaged", plans, seed=5, jobs=jobs, cache=False, out=tmp_path / f"{jobs}.nc")
    assert (tmp_path / "1.nc").read_bytes() == (tmp_path / "3.nc").read_bytes()


def test_noise_is_seeded_and_acts():
    one = characterize("pll_nlif_averaged", [PhaseNoise(trials=2, repeats=3)], seed=1)
    two = characterize("pll_nlif_averaged", [PhaseNoise(trials=2, repeats=3)], seed=1, cache=False)
    assert (one["spike_time_s"] == two["spike_time_s"]).all()
    spread = one["spike_time_s"].values.reshape(2, 4)
    assert (np.ptp(spread, axis=1) > 1e-10).all()


_SCRIPT = """
import sys
from neuronsim.circuits import characterize
from neuronsim.circuits.plans import Transfer
characterize("pll_nlif_averaged", [Transfer(trials=300)], seed=9, jobs=2, out=sys.argv[1])
"""


@pytest.mark.slow
def test_killed_campaign_resumes_to_the_same_file(tmp_path, monkeypatch):
    characterize(
        "pll_nlif_averaged", [Transfer(trials=300)], seed=9, jobs=2, cache=False, out=tmp_path / "undisturbed.nc"
    )
    monkeypatch.setenv("NEURONSIM_CACHE", str(tmp_path))
    out = tmp_path / "resumed.nc"
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(out)])
    stored = 0
    deadline = time.monotonic() + 120
    while stored < 60 and time.monotonic() < deadline:
        time.sleep(0.02)
        if (tmp_path / "runs.sqlite").exists():
            try:
                stored = sqlite3.connect(tmp_path / "runs.sqlite").execute("SELECT count(*) FROM runs").fetchone()[0]
            except sqlite3.OperationalError:
                continue
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 60 <= stored < 300
    assert not out.exists()
    subprocess.run([sys.executable, "-c", _SCRIPT, str(out)], check=True)
    assert out.read_bytes() == (tmp_path / "undisturbed.nc").read_bytes()


def test_cached_campaign_is_not_simulated_again(tmp_path):
    cache = Cache(tmp_path / "runs.sqlite")
    plan = [Transfer(trials=30)]
    first = characterize("pll_nlif_averaged", plan, cache=cache)
    started = time.perf_counter()
    second = characterize("pll_nlif_averaged", plan, cache=cache)
    assert time.perf_counter() - started < 3
    xr.testing.assert_identical(first, second)


def test_corrupt_cache_is_set_aside(tmp_path):
    path = tmp_path / "runs.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    data = characterize("pll_nlif_averaged", [Transfer(trials=2)], cache=Cache(path))
    assert data.sizes["run"] == 2
    assert (tmp_path / "runs.sqlite.corrupt").exists()


def test_any_executor_will_do():
    with ThreadPoolExecutor(2) as executor:
        data = characterize("pll_nlif_averaged", [Transfer(trials=4)], executor=executor, cache=False)
    assert data.attrs["engine"] == "ngspice-cli"
    assert data["spike_time_s"].values == pytest.approx(
        characterize("pll_nlif_averaged", [Transfer(trials=4)])["spike_time_s"].values, rel=1e-6
    )


def test_bad_arguments():
    with pytest.raises(InputError, match="unknown engine 'ngspice'"):
        characterize("pll_nlif_averaged", "transfer", engine="ngspice")
    with pytest.raises(InputError, match="jobs = 0"):
        characterize("pll_nlif_averaged", "transfer", jobs=0)
    with pytest.raises(InputError, match="timeout = 0"):
        characterize("pll_nlif_averaged", "transfer", timeout_s=0)
    with pytest.raises(InputError, match="is for rate neurons"):
        characterize("pll_nlif_averaged", "fi")
    with pytest.raises(InputError, match="no parameter 'taus'"):
        characterize("pll_nlif_averaged", "transfer", parameters={"taus": 1.0})
