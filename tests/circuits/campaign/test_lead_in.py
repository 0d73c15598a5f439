"""Runs that start from the end of a shared lead-in: the same spikes as with a lead-in of their own, for less."""

from dataclasses import replace

import numpy as np
import pytest

from neuronsim.circuits import OperatingPoint, characterize, load_manifest
from neuronsim.circuits.campaign.cache import Cache
from neuronsim.circuits.campaign.chip_flow import groups, most_before
from neuronsim.circuits.campaign.lead_in import lead_in_run, shares_lead_in
from neuronsim.circuits.deck.deck import build, build_lead_in
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import Run, SpikeStimulus
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.plans import Transfer

NETLIST = """* the membrane, held by rst, is charged by the synapses; its leak to slow (not yet settled) shifts the spike
.subckt step_synapse in mem w=1
Rs in mid 10k
Cs mid 0 10f
Gs 0 mem mid 0 {w*2u}
.ends step_synapse
.subckt slow mem rst q
Rslow one slow 100k
Vone one 0 1
Cslow slow 0 1p ic=0.1
Cmem mem 0 1p
Gleak mem 0 slow mem 1u
Breset mem 0 I = 1m*V(rst)*V(mem)
Bq q 0 V = V(mem)
.ends slow
"""
MANIFEST = """name = "slow"
summary = "a neuron that settles slowly"
netlist = "slow.lib"
subcircuit = "slow"
code = "ttfs"
level = "behavioral"
ports = { mem = "membrane", rst = "reset", q = "output" }
synapse = { subcircuit = "step_synapse", input = "in", output = "mem", weight = "w" }
stimulus = { kind = "step", high_v = 1.0, reset = "rst" }
spike = { node = "q", level_v = 0.5 }
time = { unit = "tau", steps_per_unit = 200, lead_in = 2.0 }
parameters = {}
bench.tau = { default = 1e-7, unit = "s", meaning = "time scale", above = 0.0 }
"""
#: of a lead-in with a positive and a negative synapse
SETTLED = {"xneuron.slow": 0.25, "xs0.mid": 0.125, "xs1.mid": 0.5, "s0": 0.0, "s1": 0.0}
SPIKES = SpikeStimulus(times_s=(3e-8, 8e-8, np.inf), weights=(1.0, 0.8, -0.5))
RUN = Run(plan="x", trial=0, window_s=5e-7, stimulus=SPIKES)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow.lib").write_text(NETLIST)
    (folder / "slow.toml").write_text(MANIFEST)
    manifest = load_manifest(folder / "slow.toml")
    return manifest, read_netlist(manifest)


def test_a_run_from_the_settled_state_is_the_same_run(slow):
    manifest, netlist = slow
    assert shares_lead_in(manifest, netlist)
    run = resolve(manifest, RUN)
    settled = engine_cli.run(build_lead_in(resolve(manifest, lead_in_run(RUN)), netlist), 60).final
    assert settled["xneuron.slow"] == pytest.approx(1 - 0.9 * np.exp(-2), abs=1e-3)
    whole = engine_cli.run(build(run, netlist), 60).spikes_s
    resumed = engine_cli.run(build(run, netlist, settled=settled), 60).spikes_s
    unsettled = engine_cli.run(build(run, netlist, settled={**settled, "xneuron.slow": 0.1}), 60).spikes_s
    assert resumed == pytest.approx(whole, rel=2e-3)  # it settled for 0.4 ns longer
    assert abs(unsettled[0] / whole[0] - 1) > 0.02


def test_a_resumed_deck_has_the_state_and_no_other_initial_conditions(slow):
    manifest, netlist = slow
    netlist = replace(netlist, text=netlist.text + "\n.ic v(x)=1\n+ v(y)=2\n* after")
    deck = build(resolve(manifest, RUN), netlist, settled=SETTLED).deck
    assert [line for line in deck.splitlines() if line.startswith(".ic")] == [
        ".ic v(xneuron.slow)=0.25",
        ".ic v(xs0.mid)=0.125",
        ".ic v(xs1.mid)=0.125",
        ".ic v(xs2.mid)=0.5",  # its weight is negative
    ]
    assert "v(y)" not in deck
    assert "* after" in deck


def test_runs_share_a_lead_in_where_nothing_but_the_stimulus_differs(slow):
    manifest, netlist = slow
    other = replace(RUN, stimulus=SpikeStimulus(times_s=(1e-8,), weights=(2.0,)), trial=1)
    hot = replace(RUN, operating=OperatingPoint(temperature_c=85))
    assert groups(manifest, [RUN, hot, other, replace(RUN, fine=True)]) == [[0, 2], [1], [3]]
    assert most_before(manifest, netlist, RUN) == 1
    locked = manifest.model_copy(update={"time": manifest.time.model_copy(update={"lead_in": 0})})
    assert most_before(locked, netlist, RUN) == 0


@pytest.mark.parametrize("line", ["Axor [a b] c xor", "L1 a b 1n", "S1 a b c d sw", "t1 a 0 b 0 z0=50"])
def test_elements_that_hold_more_than_voltages_do_their_own_lead_in(slow, line):
    manifest, netlist = slow
    assert not shares_lead_in(manifest, replace(netlist, text=f"{netlist.text}\n{line}\n"))


def test_the_campaign_shares_the_lead_in_and_keeps_it(slow, tmp_path, monkeypatch):
    manifest, _ = slow
    cache = Cache(tmp_path / "runs.sqlite")
    counts: list[int] = []
    plan = [Transfer(trials=3, silent=0.0)]
    first = characterize(manifest, plan, jobs=1, cache=cache, progress=lambda done, total: counts.append(total))
    assert set(counts) == {4}  # three runs and one lead-in
    monkeypatch.setattr(Cache, "put", None)  # nothing may be simulated again
    again = characterize(manifest, plan, jobs=1, cache=cache)
    assert again.identical(first)
    assert np.isfinite(first["spike_time_s"]).all()
