"""Trimming of chips: the arithmetic, two rings of transistors that must run alike, and the neuron that needs it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from neuronsim.analysis.chip_yield import chip_shifts, chip_yield
from neuronsim.artifacts.dataset import Characterization, cells, select
from neuronsim.circuits import characterize, load_manifest
from neuronsim.circuits.campaign.cache import Cache
from neuronsim.circuits.campaign.trimming import most_counts, needs_trim, next_value
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.operating_point import Chip
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.plans.mismatch import Mismatch
from neuronsim.circuits.plans.registry import make_plan
from neuronsim.errors import DataError

NETLIST = """* two ring oscillators: q is that of the first; both are to run at one frequency
.include models/generic65.lib
.include cells/ring_vco.lib
.include cells/inverter.lib
.subckt pair in q vdd ibias=8u vdd_v=1 trim1=1 trim2=1
Ia vdd in {ibias}
Ib vdd vcb {ibias}
Xa in 0 a1 a2 a3 vdd ring_vco vdd_v={vdd_v} dummy1=1e-21 trim={trim1}
Xb vcb 0 b1 b2 b3 vdd ring_vco vdd_v={vdd_v} trim={trim2}
Xq a1 q vdd inverter
.ends
"""
MANIFEST = """name = "pair"
summary = "two rings"
netlist = "pair.lib"
subcircuit = "pair"
code = "rate"
level = "transistor"
process = "models/generic65.toml"
ports = { in = "control node of the first ring", q = "its output", vdd = "supply" }
stimulus = { kind = "current", port = "in" }
spike = { node = "q", level_v = 0.5 }
time = { unit = "t_unit", steps_per_unit = 40, carrier = "f0", steps_per_cycle = 40 }
validity = { current_a = [1e-8, 1e-6] }
energy = { supplies = { vdd = "vdd_v" } }
trim = [
  { count = { trim1 = "a1", trim2 = "b1" }, lead = 2, watch = 6, tolerance = 5e-3 },
  { count = { trim2 = "b1" }, against = "a1", lead = 2, watch = 6, tolerance = 1e-3 },
]
parameters.vdd_v = { default = 1.0, unit = "V", meaning = "supply" }
parameters.trim1 = { default = 1.0, unit = "1", meaning = "trim", minimum = 0.5, maximum = 2.0 }
parameters.trim2 = { default = 1.0, unit = "1", meaning = "trim", minimum = 0.5, maximum = 2.0 }
bench.t_unit = { default = 2e-9, unit = "s", meaning = "time scale" }
bench.f0 = { default = 5e8, unit = "Hz", meaning = "frequency" }
"""
PLAN = Mismatch(chips=2, trials=1, window=10)


def _pair(folder, text=MANIFEST):
    for part in ("models", "cells"):
        shutil.copytree(netlist_folder() / part, folder / part)
    (folder / "pair.lib").write_text(NETLIST)
    (folder / "pair.toml").write_text(text)
    return folder / "pair.toml"


@pytest.mark.parametrize("exponent", [0.93, 0.5, 2.0])
def test_the_correction_finds_a_power_law(exponent):
    values, errors = [1.0], []
    for _ in range(3):
        errors.append(0.8 * values[-1] ** exponent - 1)
        values.append(next_value(values, errors))
    assert 0.8 * values[-1] ** exponent == pytest.approx(1.0, abs=1e-9)


def test_a_frequency_that_does_not_follow_makes_no_wild_step():
    assert next_value([1.0, 1.1], [-0.1, -0.1]) == pytest.approx(1.1 * (1 / 0.9) ** (1 / 0.3))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    manifest = load_manifest(_pair(folder))
    cache = Cache(folder / "runs.sqlite")
    progress: list[tuple[int, int]] = []
    data = characterize(
        manifest, [PLAN], jobs=1, cache=cache, seed=4, progress=lambda done, of: progress.append((done, of))
    )
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)
    assert progress[-1][0] == progress[-1][1] == 2 * most_counts(manifest) + 3
    return manifest, cache, data


def test_trimmed_chips_run_like_the_circuit_without_mismatch(pair):
    manifest, cache, data = pair
    table = cells(data, "trim")
    assert table.sizes["row"] == 2 * 3
    first = table["step"].values == 0
    assert np.abs(table["error_before"].values[first]).max() > 0.04
    assert np.abs(table["error_after"].values[first]).max() <= 5e-3
    assert np.abs(table["error_after"].values[~first]).max() <= 1e-3
    raw = characterize(manifest, [PLAN.model_copy(update={"trim": False})], jobs=1, cache=cache, seed=4)
    assert "trim" not in raw.dims
    assert (raw["parameter_trim1"] == 1).all()
    shifts = {}
    for name, of in (("raw", raw), ("trimmed", data)):
        assert (of["status"] == "ok").all()
        shifts[name] = np.abs(chip_shifts(select(of, "mismatch", ok=False))[1])
    # its first ring is that of trim1, which the trims brought to the nominal frequency; an input comes on top
    assert shifts["trimmed"].max() < 0.02
    assert shifts["raw"].max() > 3 * shifts["trimmed"].max()
    assert raw["rate_hz"].values[0] == data["rate_hz"].values[0]  # the nominal circuit knows of no trims


def test_every_run_of_a_chip_has_the_trims_of_the_table(pair, tmp_path):
    _, _, data = pair
    table = cells(Characterization.load(Characterization(data).save(tmp_path / "pair.nc")).data, "trim")
    for chip in range(2):
        last = {}
        for row in range(table.sizes["row"]):
            if int(table["chip"].values[row]) == chip:
                last[str(table["name"].values[row])] = float(table["value"].values[row])
        of_chip = data["chip"].values == chip
        for name, value in last.items():
            assert data[f"parameter_{name}"].values[of_chip] == pytest.approx(value)
            assert value != 1.0
    assert (data["parameter_trim1"].values[data["chip"].values == -1] == 1).all()


def test_trims_are_found_once(pair, monkeypatch):
    manifest, cache, data = pair
    monkeypatch.setattr(Cache, "put", None)  # nothing may be simulated again
    assert characterize(manifest, [PLAN], jobs=1, cache=cache, seed=4).identical(data)


def test_a_width_that_is_a_trim_leaves_the_drawn_mismatch(pair):
    """Pelgrom's sigma is of the transistor as drawn: the threshold shifts of a chip are those before trimming."""
    manifest, cache, data = pair
    alone = characterize(
        manifest,
        [PLAN.model_copy(update={"trim": False})],
        jobs=1,
        cache=cache,
        seed=4,
        parameters={
            "trim1": float(data["parameter_trim1"].values[1]),
            "trim2": float(data["parameter_trim2"].values[1]),
        },
    )
    assert alone["rate_hz"].values[1] == data["rate_hz"].values[1]


def test_a_chip_that_cannot_be_trimmed_is_a_row_with_a_reason(tmp_path):
    text = MANIFEST.replace("minimum = 0.5, maximum = 2.0", "minimum = 0.99, maximum = 1.01")
    data = characterize(_pair(tmp_path, text), [PLAN], jobs=1, cache=False, seed=4)
    bad = data["status"].values == "failed"
    assert bad.tolist() == [False, True, True]
    assert set(data["reason"].values[bad].tolist()) == {"not_trimmed"}
    assert all(("trim1 = " in said or "trim2 = " in said) and "must be" in said for said in data["message"].values[bad])
    table = cells(data, "trim", ok=False)
    assert set(table["status"].values.tolist()) == {"failed"}
    assert np.isfinite(table["frequency_before_hz"].values).all()
    chip, shift, came_to, _ = chip_shifts(select(data, "mismatch", ok=False))
    fires, good = chip_yield(chip, shift, came_to, 0.1)
    assert fires.size == 2  # a chip that cannot be trimmed is a bad chip, not a missing one
    assert not fires.any()
    assert not good.any()


def test_a_ring_that_stands_still_cannot_be_trimmed(tmp_path):
    data = characterize(
        _pair(tmp_path, MANIFEST.replace('"b1" }, lead', '"vcb" }, lead')), [PLAN], jobs=1, cache=False, seed=4
    )
    said = data["message"].values[data["status"].values == "failed"]
    assert len(said) == 2
    assert all("vcb, which trim2 trims, does not oscillate" in text for text in said)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("trim2 = \"b1\" }, lead", "trim9 = \"b1\" }, lead", "trim.count = 'trim9' is not one of"),
        ("lead = 2, watch = 6, tolerance = 1e-3", "hold = { no = 0 }, lead = 2, watch = 6, tolerance = 1e-3", "trim.hold = 'no'"),
        ('against = "a1"', 'against = "b1"', "counted once only"),
        ("energy = { supplies = { vdd = \"vdd_v\" } }\n", "", "needs .energy. supplies"),
        ("tolerance = 1e-3", "tolerance = 2", "trim.1.tolerance"),
    ],
)  # fmt: skip
def test_contradictory_trims_are_refused(tmp_path, old, new, says):
    assert old in MANIFEST
    path = _pair(tmp_path, MANIFEST.replace(old, new, 1))
    with pytest.raises(DataError, match=says):
        load_manifest(path)


def test_the_neurons_of_transistors_are_trimmed_where_a_chip_is_drawn():
    for name in ("pll_nlif_transistor", "pll_nlif_gf180"):
        manifest = load_manifest(name)
        assert manifest.trims == ("trim1", "trim2", "trim3", "trim4")
        assert all(manifest.parameters[trim].default == 1 for trim in manifest.trims)
    plan = make_plan("mismatch", {"chips": 2, "trials": 2})
    runs = plan.runs(manifest, {}, 0)
    assert {run.operating.chip.number for run in runs if needs_trim(manifest, run)} == {0, 1}
    assert not any(needs_trim(manifest, replace(run, trim=False)) for run in runs)
    assert not any(needs_trim(load_manifest("axon_hillock"), run) for run in runs)


def test_runs_without_a_chip_are_as_without_trims():
    manifest = load_manifest("pll_nlif_transistor")
    (run,) = [run for run in Mismatch(chips=2, trials=1).runs(manifest, {}, 0) if run.operating.chip is None]
    line = next(
        t for t in build(resolve(manifest, run), read_netlist(manifest)).deck.splitlines() if t.startswith("Xneuron")
    )
    assert {word for word in line.split() if word.startswith("trim")} == {f"trim{i}=1" for i in range(1, 5)}


class _FirstChip(Mismatch):
    """One chip of the lot: half a minute of ngspice each, trimmed and as drawn."""

    def runs(self, manifest, parameters, seed):
        return [run for run in super().runs(manifest, parameters, seed) if (run.operating.chip or _FIRST).number == 0]


_FIRST = Chip(seed=0, number=0)


@pytest.mark.slow
def test_a_chip_of_the_transistor_neuron_fires_rightly_only_after_trimming():
    shift = {}
    for trim in (True, False):
        plan = _FirstChip(chips=2, trials=1, settle=3.0, beyond=1.0, trim=trim)
        data = characterize("pll_nlif_transistor", [plan], jobs=1, timeout_s=600)
        assert (data["status"] == "ok").all()
        assert json.loads(data.attrs["plans"])["mismatch"]["trim"] is trim
        chip, by, came_to, _ = chip_shifts(select(data, "mismatch", ok=False))
        shift[trim] = chip_yield(chip, by, came_to, 0.15)[1]
    assert shift[True].all()
    assert not shift[False].any()
