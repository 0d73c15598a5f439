"""Corner, temperature, supply and chip reach the transistors, in both engines, and the cache tells them apart."""

import re
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neuronsim.circuits import Chip, OperatingPoint, characterize, grid, load_manifest
from neuronsim.circuits.campaign.engines import listings
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import CurrentStimulus, Run, SpikeStimulus
from neuronsim.circuits.deck.transistors import Transistor, transistors_in
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.neuron.process import Pelgrom
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.ngspice import shared_library as engine_shared
from neuronsim.circuits.plans.base import Plan
from neuronsim.errors import DataError, InputError

MANIFEST = load_manifest("axon_hillock")
NETLIST = read_netlist(MANIFEST)
RUN = Run(plan="x", trial=0, window_s=0.06e-6, stimulus=CurrentStimulus(current_a=500e-9))
POINTS = {
    "nominal": OperatingPoint(),
    "slow": OperatingPoint(corner="ss"),
    "hot": OperatingPoint(temperature_c=125),
    "low": OperatingPoint(supply_v=0.9),
    "chip": OperatingPoint(chip=Chip(seed=1, number=0)),
    "other chip": OperatingPoint(chip=Chip(seed=1, number=1)),
}


@pytest.fixture(scope="module")
def transistors():
    return transistors_in(listings("ngspice-cli", [build(resolve(MANIFEST, RUN), NETLIST).deck])[0])


@pytest.fixture(scope="module")
def jobs(transistors):
    return {
        name: build(resolve(MANIFEST, replace(RUN, operating=point)), NETLIST, transistors=transistors)
        for name, point in POINTS.items()
    }


def test_both_engines_list_the_same_transistors(transistors):
    assert len(transistors) == 5
    long_one = next(t for t in transistors if t.name == "m.xneuron.xreset.m1")
    assert (long_one.model, long_one.width_m, long_one.length_m) == pytest.approx(("nch", 0.2e-6, 0.96e-6))
    assert transistors_in(listings("ngspice-shared", [build(resolve(MANIFEST, RUN), NETLIST).deck])[0]) == transistors


def test_every_operating_point_changes_the_result_alike_in_both_engines(jobs):
    first = {}
    for name, job in jobs.items():
        outcome = engine_cli.run(job, 60)
        assert not outcome.reason, outcome.message
        assert outcome.spikes_s, name
        first[name] = outcome.spikes_s[0]
        assert engine_shared.run(job, 60).spikes_s == pytest.approx(outcome.spikes_s, rel=1e-6), name
    assert len({round(time * 1e13) for time in first.values()}) == len(POINTS)


def test_the_cache_tells_operating_points_apart(jobs):
    assert len({job.key("ngspice-cli", "39") for job in jobs.values()}) == len(POINTS)


def test_a_chip_is_frozen_by_seed_number_and_name():
    law = MANIFEST.required_process("").mismatch["nch"]
    some = [Transistor(name=f"m.x{i}.m1", model="nch", width_m=1e-6, length_m=1e-6) for i in range(2000)]
    shifts = Chip(seed=3, number=0).threshold_shifts(MANIFEST, some)
    assert shifts == Chip(seed=3, number=0).threshold_shifts(MANIFEST, some)
    assert Chip(seed=3, number=0).threshold_shifts(MANIFEST, some[5:6]) == {some[5].name: shifts[some[5].name]}
    others = Chip(seed=3, number=1).threshold_shifts(MANIFEST, some)
    assert abs(np.corrcoef(list(shifts.values()), list(others.values()))[0, 1]) < 0.1
    # Pelgrom: 3 mV um for a pair, sqrt(2) less for each
    assert np.std(list(shifts.values())) == pytest.approx(3e-3 / np.sqrt(2), rel=0.06)
    assert law.sigma_v(4e-6, 1e-6) == pytest.approx(law.sigma_v(1e-6, 1e-6) / 2)
    pair = np.array(list(shifts.values())).reshape(-1, 2)
    assert np.std(pair[:, 0] - pair[:, 1]) == pytest.approx(3e-3, rel=0.08)


class _TwoPoints(Plan):
    """The same current on two chips and at a low supply."""

    kind = "two_points"
    code = "rate"
    summary = "test"

    def runs(self, manifest, parameters, seed):
        points = [POINTS["chip"], POINTS["other chip"], POINTS["low"]]
        return [replace(RUN, operating=point, parameters=parameters) for point in points]


def test_the_dataset_says_where_each_run_was():
    data = characterize("axon_hillock", [_TwoPoints()], jobs=1)
    assert (data["status"] == "ok").all()
    assert data["parameter_vdd_v"].values.tolist() == [1.0, 1.0, 0.9]
    assert data["temperature_c"].values.tolist() == [27.0] * 3
    assert data["chip"].values.tolist() == [0, 1, -1]
    assert data["chip_seed"].values.tolist() == [1, 1, -1]
    assert len(set(data["spike_times_s"].values[:, 0])) == 3


@pytest.mark.parametrize(
    ("point", "says"),
    [
        (OperatingPoint(corner="sss"), "no corner 'sss'. Did you mean 'ss'"),
        (OperatingPoint(supply_v=3.3), "vdd_v = 3.3 must be below 1.5 V"),
        (OperatingPoint(chip=Chip(seed=0, number=0)), "no transistor with a mismatch law"),
    ],
)
def test_impossible_points_are_refused(point, says):
    with pytest.raises(InputError, match=says):
        build(resolve(MANIFEST, replace(RUN, operating=point)), NETLIST)


def test_a_neuron_without_a_process_has_no_corners():
    manifest = load_manifest("lif_behavioral")
    run = Run(plan="x", trial=0, window_s=1e-7, stimulus=CurrentStimulus(current_a=20e-6))
    netlist = read_netlist(manifest)
    for point, says in (
        (OperatingPoint(corner="ss"), "no 'process' in its manifest"),
        (OperatingPoint(chip=Chip(seed=0, number=0)), "no 'process' in its manifest"),
        (OperatingPoint(supply_v=1.1), r"no \[energy\] supplies"),
    ):
        with pytest.raises(InputError, match=says):
            build(resolve(manifest, replace(run, operating=point)), netlist)
    hot = resolve(manifest, replace(run, operating=OperatingPoint(temperature_c=85)))
    assert build(hot, netlist).deck.count("temp=85") == 1


def test_the_grid_of_a_sign_off():
    points = grid()
    assert len(set(points)) == 45
    assert OperatingPoint(corner="ss", temperature_c=125, supply_v=0.9) in points


def test_lead_in_shifts_the_stimulus_and_holds_the_reset():
    manifest = load_manifest("pll_nlif_transistor")
    run = Run(plan="x", trial=0, window_s=50e-9, stimulus=SpikeStimulus(times_s=(10e-9,), weights=(1.0,)))
    job = build(resolve(manifest, run), read_netlist(manifest))
    start = manifest.time.lead_in * manifest.bench["tau"].default
    assert job.t_start_s == pytest.approx(start)
    reset = next(line for line in job.deck.splitlines() if line.startswith("Vreset"))
    times = [float(word) for word in re.search(r"PWL\((.*)\)", reset)[1].split()]
    assert times[::2] == pytest.approx([0, start - 1e-3 * manifest.bench["tau"].default, start])
    assert times[1::2] == [1, 1, 0]
    pulse = next(line for line in job.deck.splitlines() if line.startswith("Vs0"))
    times = [float(word) for word in re.search(r"PWL\((.*)\)", pulse)[1].split()][::2]
    assert np.mean(times[1:]) == pytest.approx(start + 10e-9)
    assert f"{start + 50e-9:.12g} {start:.12g}" in job.deck


def test_operating_points_refuse_nonsense():
    with pytest.raises(ValidationError):
        OperatingPoint(temperature_c=-300)
    with pytest.raises(ValidationError):
        OperatingPoint(supply_v=-1)
    with pytest.raises(ValidationError):
        Chip(seed=-1, number=0)
    with pytest.raises(ValidationError):
        Pelgrom(a_vt=3.0)


def test_a_wrong_process_file_is_named(tmp_path):
    manifest = MANIFEST.model_copy(update={"folder": tmp_path, "process": "p.toml"})
    with pytest.raises(DataError, match="does not exist"):
        manifest.required_process("a chip")
    (tmp_path / "p.toml").write_text('name = "p"\nsummary = "p"\n[corners]\ntt = { dvtn = "x" }\n')
    with pytest.raises(DataError, match=r"p.toml: corners.tt.dvtn"):
        manifest.required_process("a chip")
