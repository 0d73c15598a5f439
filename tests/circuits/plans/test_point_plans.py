"""Plans over operating points and cells: what they list, what they measure, and what the datasheet makes of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from neuronsim.analysis.corners import reset_rows, reset_verdict
from neuronsim.artifacts import dataset as schema
from neuronsim.circuits import characterize, load_manifest, load_plans, make_plan
from neuronsim.circuits.assemble import assemble
from neuronsim.circuits.campaign.scheduler import run_flows
from neuronsim.circuits.campaign.tasks import Result, Simulation, measure
from neuronsim.circuits.cells.bench import Condition
from neuronsim.circuits.cells.jitter import noise_sources, noisy_edges
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice.outcome import Outcome
from neuronsim.circuits.tables import cell_tables
from neuronsim.errors import DataError, InputError
from neuronsim.report import write_datasheet
from neuronsim.report.chapters.operating_points import corners_section
from neuronsim.report.page.elements import Note, Table

HILLOCK, PLL = load_manifest("axon_hillock"), load_manifest("pll_nlif_transistor")


@pytest.fixture(scope="module")
def hillock():
    """Two corners and supplies, one chip lot, and the energy of the axon hillock."""
    window = {"currents_a": (500e-9,), "window": 0.2}
    plans = [
        make_plan("corners", {"corners": ("tt", "ss"), "temperatures_c": (27.0,), "supplies": (0.9, 1.0), **window}),
        make_plan("energy", {**window, "currents_a": (500e-9,)}),
        make_plan("mismatch", {"chips": 3, "trials": 1, "window": 1.0}),
    ]
    return characterize(HILLOCK, plans, jobs=1)


def test_the_default_grid_is_that_of_a_sign_off():
    runs = make_plan("corners", {}).runs(PLL, {}, 0)
    assert len(runs) == len({run.operating for run in runs}) == 45
    two = make_plan("corners", {"times": [[0.3], [0.2, 0.4]], "weights": [[1.5], [0.8, 0.9]], "corners": ["ff"]})
    assert [run.trial for run in two.runs(PLL, {}, 0)] == [0, 1] * 9


@pytest.mark.parametrize(
    ("kind", "fields", "manifest", "says"),
    [
        ("corners", {"corners": ["fff"]}, "axon_hillock", "no corner 'fff'"),
        ("corners", {}, "lif_behavioral", "no 'process'"),
        ("corners", {"currents_a": [1.0]}, "axon_hillock", "validity range"),
        ("oscillator", {}, "axon_hillock", r"\[cells\] oscillator"),
        ("energy", {"times": [[0.3]], "weights": [[0.4]]}, "axon_hillock", "must fire"),
    ],
)
def test_what_cannot_be_done_is_refused(kind, fields, manifest, says):
    with pytest.raises(InputError, match=says):
        make_plan(kind, fields).runs(load_manifest(manifest), {}, 0)


def test_a_group_leaves_out_what_the_neuron_cannot_do():
    left = {}
    plans = load_plans("quick", HILLOCK, on_skip=left.__setitem__)
    assert [plan.kind for plan in plans] == ["fi", "corners", "mismatch", "energy"]
    assert "[cells] oscillator" in left["thermal"]
    assert "for ttfs neurons" in left["transfer"]
    coarse = [plan.kind for plan in load_plans("datasheet", load_manifest("pll_nlif_averaged")) if not plan.fine]
    assert coarse == ["jitter", "quantization"]  # differences from the undisturbed run


def test_mismatch_chooses_its_mechanism_by_the_manifest():
    by_transistor = make_plan("mismatch", {"chips": 2, "trials": 1}).runs(PLL, {}, 3)
    assert [run.operating.chip and run.operating.chip.number for run in by_transistor] == [None, 0, 1]
    by_sigma = make_plan("mismatch", {"chips": 2, "trials": 1}).runs(load_manifest("lif_behavioral"), {}, 3)
    assert [run.chip for run in by_sigma] == [None, 0, 1]
    assert len({tuple(run.parameters.items()) for run in by_sigma}) == 3


def test_energy_adds_up(hillock):
    rows = schema.select(hillock, "energy")
    spike, idle = rows.isel(run=0), rows.isel(run=1)
    assert idle["rate_hz"] == 0
    n = int(np.isfinite(spike["spike_times_s"].values).sum())
    assert n > 2
    np.testing.assert_allclose(spike["block_vdd_energy_j"], spike["energy_j"])
    # the window holds n spikes, up to one begun and one unfinished
    assert (n - 1) * spike["active_energy_j"] < spike["energy_j"] < (n + 1.5) * spike["active_energy_j"]
    assert 0 < idle["energy_j"] < 0.1 * spike["energy_j"]


def test_corners_change_what_they_should(hillock):
    rows = schema.select(hillock, "corners")
    assert rows["corner"].values.tolist() == ["tt", "tt", "ss", "ss"]
    assert rows["parameter_vdd_v"].values.tolist() == [0.9, 1.0, 0.9, 1.0]
    energy = rows["active_energy_j"].values
    assert energy[1] > energy[0]
    assert energy[3] > energy[2]
    assert (schema.verdict(rows) == "fired").all()
    assert schema.as_drawn(hillock).sum() == 3  # energy, idle and the nominal chip


def test_the_datasheet_names_missing_spikes_and_yield(hillock, tmp_path):
    rate = hillock["rate_hz"].values.copy()
    rate[2] = 0.0
    page = write_datasheet(hillock.assign(rate_hz=("run", rate)), tmp_path / "sheet.html").read_text()
    assert "Missing spikes: all 1 runs" in page
    assert "ss 27 °C" in page
    assert "Wilson" in page
    assert "static power" in page


def test_equal_decks_are_simulated_once():
    run = make_plan("energy", {"currents_a": (500e-9,), "window": 0.06}).runs(HILLOCK, {}, 0)[0]
    job = build(resolve(HILLOCK, run), read_netlist(HILLOCK))
    other = replace(job, t_stop_s=job.t_stop_s / 2)
    done: list[Result] = []

    def flow(*jobs):
        first = yield [Simulation(job=one, safer=lambda: job) for one in jobs]
        again = yield [Simulation(job=jobs[0], safer=lambda: job)]
        return [*first, *again]

    found, shared = run_flows(
        [flow(job, other, job), flow(job)],
        engine="ngspice-cli",
        version="39",
        on_done=lambda task, result: done.append(result),
    )
    assert len(done) == 6
    assert len({id(result) for result in done}) == 2
    assert found[0] is found[2] is found[3] is shared[0] is shared[1]
    assert found[0] is not found[1]
    assert found[0].outcome.spikes_s


def test_cells_have_tables_of_their_own(tmp_path):
    room = {"corners": ("tt",), "temperatures_c": (27.0,)}
    plans = [make_plan("oscillator", {**room, "currents": (1.0,)}), make_plan("synapse", room)]
    path = tmp_path / "cells.nc"
    data = characterize(PLL, plans, jobs=1, out=path)
    assert characterize(PLL, plans, jobs=1).identical(data)  # from the cache
    loaded = schema.Characterization.load(path).data
    assert (loaded.sizes["run"], schema.cell_plans(loaded)) == (0, ["oscillator", "synapse"])
    tuned = schema.cells(loaded, "oscillator")
    low, rest, high = tuned["frequency_hz"].values
    assert 0.9 * 500e6 < low < rest < high < 1.1 * 500e6
    # the loop's time constant is 1/(2 lock range); 25 ns is what the manifest says
    assert 1 / (2 * (high - low)) == pytest.approx(25e-9, rel=0.25)
    assert np.nanmax(np.abs(schema.cells(loaded, "synapse")["inl_steps"].values)) < 0.5
    with pytest.raises(DataError, match="variable 'synapse_code' is missing"):
        schema.Characterization.check(loaded.drop_vars("synapse_code"))
    page = write_datasheet(path, tmp_path / "sheet.html").read_text()
    assert "lock range" in page
    assert "|DNL|" in page


def test_a_failed_measurement_is_a_row():
    plan = make_plan("oscillator", {"corners": ("tt", "ss"), "temperatures_c": (27.0,), "currents": (1.0,)})
    good, bad = plan.measurements(PLL, {}, 0)
    bad = replace(bad, arguments={**bad.arguments, "currents_a": [2e-6, 1e-6]})
    (results,) = run_flows([measure([good, bad])], engine="ngspice-cli", version="39")
    columns = cell_tables([good, bad], [result.outcome for result in results])
    status = columns["oscillator_status"][1].tolist()
    assert status == ["ok"] * (len(status) - 1) + ["failed"]
    assert "rising" in columns["oscillator_message"][1][-1]


@pytest.mark.slow
def test_thermal_noise_is_seeded_and_above_its_floor():
    shared = {"oscillators": 2, "cycles": 20, "resistance_ohm": 2.35e6}
    noisy, again, still = (noisy_edges(**shared, seed=1, power=p) for p in (1.0, 1.0, 0.0))
    np.testing.assert_array_equal(noisy.edge_s, again.edge_s)
    jitter, floor = (np.diff(found.edge_s).std(axis=1).mean() for found in (noisy, still))
    assert 2e-12 < jitter < 20e-12
    assert floor < jitter / 3
    hot = noise_sources(condition=Condition(temperature_c=125))
    assert 1 < (hot.kappa / noise_sources().kappa) ** 2 < 398.15 / 300.15 * 1.2


def test_the_reset_plan_repeats_reset_threshold_and_stimulus():
    plan = make_plan("reset", {"corners": ["ss"], "temperatures_c": [27.0], "supplies": [0.9]})
    (run,) = plan.runs(PLL, {}, 0)
    deck = build(resolve(PLL, run), read_netlist(PLL)).deck.splitlines()
    start = PLL.time.lead_in * PLL.bench["tau"].default
    assert run.again.at_s == pytest.approx(0.6 * 26e-9 + 5 * 26e-9)

    def edges(name):
        text = next(line for line in deck if line.startswith(name))
        points = np.array(text[text.index("(") + 1 : -1].split(), dtype=float).reshape(-1, 2)
        crossed = np.flatnonzero(np.diff(points[:, 1] > 0.45))
        return points[crossed, 0] + np.diff(points[:, 0])[crossed] / 2

    reset = edges("Vreset")  # high from the start, falls at time zero, high once more
    np.testing.assert_allclose(reset - start, [0, run.again.at_s - run.again.reset_s, run.again.at_s], atol=30e-12)
    for name in ("Vthreshold", "Vs0", "Vs1"):
        rise, fall, rise_again, fall_again = edges(name)
        assert rise_again - rise == pytest.approx(run.again.at_s)
        assert fall_again - fall == pytest.approx(run.again.at_s)
        assert rise_again > reset[2]
    with pytest.raises(InputError, match="after the spike"):
        make_plan("reset", {"rest": 2.0})
    assert "input pulses" in make_plan("reset", {}).obstacle(load_manifest("pll_nlif_averaged"))
    assert "ttfs" in make_plan("reset", {}).obstacle(HILLOCK)


def test_what_a_reset_came_to():
    """Every word of the verdict, from a dataset of the right shape."""
    runs = make_plan("reset", {"supplies": [0.9, 1.1]}).runs(PLL, {}, 0)[:7]
    again, first = runs[0].again.at_s, 40e-9
    spikes = [
        (first, again + 40.5e-9),
        (first, again + 43e-9),
        (first,),
        (first, again - 5e-9, again + 40e-9),
        (first, again + 1e-9),
        (),
        (),
    ]
    results = [
        Result(outcome=Outcome(spikes_s=s, reason="timeout" if i == 6 else ""), attempts=1, options="default")
        for i, s in enumerate(spikes)
    ]
    provenance = dict.fromkeys(("neuron", "engine", "engine_version", "netlist_sha256", "versions"), "x")
    provenance |= {"code": "ttfs", "seed": 0, "defaults": json.dumps(PLL.defaults())}
    provenance["plans"] = json.dumps({"reset": make_plan("reset", {}).model_dump(mode="json")})
    data = schema.Characterization.check(assemble(PLL, [resolve(PLL, run) for run in runs], results, provenance))
    said = reset_verdict(reset_rows(data)).tolist()
    assert said == ["again", "shifted", "silent", "extra", "extra", "silent first", "failed"]
    page = corners_section(data.assign(plan=("run", ["reset"] * 6 + ["corners"])), "")
    assert page is not None
    assert any("in 1 of 6 runs" in block.text for block in page.blocks if isinstance(block, Note))
    tables = [block for block in page.blocks if isinstance(block, Table)]
    assert [table.header[-1] for table in tables if table.folded] == ["fires again after reset"]
    without = corners_section(data.assign(plan=("run", ["x"] * 6 + ["corners"])), "")
    assert without is not None
    assert [b.header[-1] for b in without.blocks if isinstance(b, Table) and b.folded] == ["spike time"]
