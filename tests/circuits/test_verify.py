"""verify: an untouched netlist passes, one changed by 20 % does not, and what is missing is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import neuronsim
from neuronsim.artifacts.card_parts import Quality
from neuronsim.artifacts.verification import Verification
from neuronsim.calibration.acceptance import FALSE_ALARM, drift_limit, judge, outside_limit
from neuronsim.circuits import characterize, load_manifest, verify
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.plans import FICurve, Transfer
from neuronsim.circuits.plans.fresh_stimuli import fresh_plan
from neuronsim.errors import DataError, InputError
from neuronsim.statistics.bootstrap import bias_and_spread


def copy_of(neuron: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of a netlist with its manifest in ``folder``, edited; returns the manifest."""
    folder.mkdir(exist_ok=True)
    for suffix in (".toml", ".lib"):
        shutil.copy(netlist_folder() / f"{neuron}{suffix}", folder)
    netlist = folder / f"{neuron}.lib"
    text = netlist.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    netlist.write_text(text)
    return folder / f"{neuron}.toml"


@pytest.fixture(scope="module")
def averaged(tmp_path_factory) -> Path:
    """Card of pll_nlif_averaged."""
    out = tmp_path_factory.mktemp("averaged") / "card.json"
    data = characterize("pll_nlif_averaged", [Transfer(trials=80)], seed=3, jobs=1, parameters={"tau": 40e-9})
    neuronsim.calibrate(data, out=out)
    return out


@pytest.fixture(scope="module")
def rate_card(tmp_path_factory) -> Path:
    """Card of lif_behavioral."""
    out = tmp_path_factory.mktemp("lif") / "card.json"
    neuronsim.calibrate(characterize("lif_behavioral", [FICurve(points=40)], jobs=1), out=out)
    return out


def test_untouched_netlist_passes_with_the_parameters_of_the_card(averaged, tmp_path):
    result = verify(averaged, jobs=1, out=tmp_path / "verification.json")
    assert result.holds
    assert not result.netlist_changed
    assert result.manifest == "pll_nlif_averaged"
    assert len(result.stimuli) == 32
    fired = [row for row in result.stimuli if row.simulated is not None]
    assert len(fired) > 20
    assert all(row.inside for row in fired)
    assert min(row.simulated or 0 for row in fired) > 1e-9
    assert Verification.load(tmp_path / "verification.json") == result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Rlf pd lf 1k", "Rlf pd lf 1.2k"),
        ("Clf lf 0 {tau/(r*1k)}", "Clf lf 0 {0.8*tau/(r*1k)}"),
        ("Cvco phi 0 1n", "Cvco phi 0 0.8n"),
        ("Cmem mem 0 1n", "Cmem mem 0 1.2n"),
        ("Rsum sum 0 1", "Rsum sum 0 0.8"),
        ("{kloop*1n/kphi}", "{1.2*kloop*1n/kphi}"),
    ],
    ids=["Rlf", "Clf", "Cvco", "Cmem", "Rsum", "gain"],
)
def test_twenty_percent_in_one_element_fails(averaged, tmp_path, old, new):
    changed = copy_of("pll_nlif_averaged", tmp_path, (old, new))
    result = verify(averaged, netlist=changed, stimuli=16, jobs=1)
    assert result.netlist_changed
    assert not result.holds


def test_a_changed_file_that_does_the_same_passes_and_is_reported(averaged, tmp_path):
    changed = copy_of("pll_nlif_averaged", tmp_path, ("Rlf pd lf 1k", "* the loop filter\nRlf pd lf 1000"))
    result = verify(averaged, netlist=changed, stimuli=16, jobs=1)
    assert result.netlist_changed
    assert result.holds


def test_a_neuron_that_fell_silent_fails(averaged, tmp_path):
    changed = copy_of("pll_nlif_averaged", tmp_path, ("Vtheta base 0 {theta}", "Vtheta base 0 {50*theta}"))
    result = verify(averaged, netlist=changed, stimuli=8, jobs=1)
    assert not result.holds
    assert all(row.simulated is None for row in result.stimuli)


def test_rate_card(rate_card, tmp_path):
    assert verify(rate_card, jobs=1).holds
    for number, change in enumerate((("Cmem in 0 {cmem}", "Cmem in 0 {1.2*cmem}"), ("{rleak}", "{0.8*rleak}"))):
        changed = copy_of("lif_behavioral", tmp_path / str(number), change)
        assert not verify(rate_card, netlist=changed, stimuli=12, jobs=2).holds, change


def test_own_netlist_is_found_where_it_was_and_missed_when_it_moved(tmp_path):
    own = copy_of("if_behavioral", tmp_path / "mine")
    card = neuronsim.calibrate(characterize(own, [FICurve(points=30)], jobs=1))
    assert card.provenance.manifest == str(own.resolve())
    assert verify(card, stimuli=8, jobs=1).holds
    moved = tmp_path / "elsewhere"
    own.parent.rename(moved)
    with pytest.raises(InputError, match=r"is gone.*--netlist"):
        verify(card, stimuli=8)
    assert verify(card, netlist=moved / own.name, stimuli=8, jobs=1).holds
    (moved / "if_behavioral.lib").unlink()
    with pytest.raises(DataError, match=r"if_behavioral.lib does not exist"):
        verify(card, netlist=moved / own.name, stimuli=8)
    with pytest.raises(InputError, match="is neuron 'lif_behavioral'"):
        verify(card, netlist="lif_behavioral", stimuli=8)
    with pytest.raises(InputError, match="at least 8"):
        verify(card, stimuli=3)


def test_fresh_stimuli_are_new_and_within_the_card(averaged):
    card = neuronsim.ModelCard.load(averaged)
    manifest = load_manifest("pll_nlif_averaged")
    runs = fresh_plan(card, manifest, 40e-9, 200).runs(manifest, {"tau": 40e-9}, 3)
    fitted = Transfer(trials=80).runs(manifest, {"tau": 40e-9}, 3)
    assert not {run.spikes.times_s for run in runs} & {run.spikes.times_s for run in fitted}
    tau = card.kernel.tau_s.value
    assert max(max(run.spikes.times_s) for run in runs) / tau <= card.valid_time_tau.high * (1 + 1e-6)
    assert min(min(run.spikes.times_s) for run in runs) / tau >= card.valid_time_tau.low * (1 - 1e-6)
    assert max(max(run.spikes.weights) for run in runs) <= card.valid_weight.high
    assert {len(run.spikes.times_s) for run in runs} <= set(range(2, 9))


@pytest.mark.parametrize("tails", ["gaussian", "long"])
def test_false_alarms_are_as_rare_as_stated(tails):
    """Healthy cards: held-out and fresh errors from one distribution, 1000 verifications."""
    rng = np.random.default_rng(1)
    draw = rng.standard_normal if tails == "gaussian" else lambda n: rng.standard_t(2, n)
    held_out, runs, rounds, alarms = 55, 32, 1000, {"outside": 0, "drift": 0}
    for _ in range(rounds):
        e = 0.01 * draw(held_out) + 0.002
        bias, spread = bias_and_spread(e, float(np.quantile(np.abs(e), 0.95)))
        quality = Quality(
            n_fit=100,
            n_held_out=held_out,
            median_error=float(np.median(np.abs(e))),
            p95_error=float(np.quantile(np.abs(e), 0.95)),
            spike_agreement=1.0,
            n_compared=held_out,
            bias=bias,
            spread=spread,
        )
        fresh = 0.01 * draw(runs) + 0.002
        verdict = judge(
            quality,
            simulated=np.ones(runs),
            predicted=1 + fresh,
            allowed=np.full(runs, quality.p95_error),
            silent=np.inf,
        )
        alarms["outside"] += verdict["outside"] > outside_limit(quality, runs)  # type: ignore[operator]
        alarms["drift"] += abs(verdict["drift"]) > drift_limit(quality, runs)[0]  # type: ignore[index,operator,arg-type]
    assert alarms["outside"] <= 1.5 * FALSE_ALARM * rounds
    assert alarms["drift"] <= 2 * FALSE_ALARM * rounds


def test_outcomes_and_failures_count_as_outside():
    quality = Quality(n_fit=1, n_held_out=60, median_error=0.001, p95_error=0.01, spike_agreement=1.0)
    simulated = np.array([1.0, np.inf, np.nan, np.inf, 1.0])
    predicted = np.array([1.001, np.inf, 1.0, 1.0, np.inf])
    verdict = judge(quality, simulated=simulated, predicted=predicted, allowed=np.full(5, 0.01), silent=np.inf)
    np.testing.assert_array_equal(verdict["inside"], [True, True, False, False, False])  # type: ignore[arg-type]
    assert verdict["drift_limit"] is None  # an older card without bias and spread


@pytest.mark.slow
def test_switching_level(tmp_path):
    """The sampled neuron: errors within its period pass; a fifth in the integrator or the loop's gain does not."""
    path = tmp_path / "card.json"
    data = characterize("pll_nlif_pwm", [Transfer(trials=60)], jobs=2)
    card = neuronsim.calibrate(data, out=path)
    assert card.code == "ttfs"
    assert card.timing_noise.resolution_s is not None
    assert card.timing_noise.resolution_s.value == pytest.approx(1e-9, rel=1e-4)
    assert card.quality.median_over_target is not None
    assert card.quality.median_over_target <= 1
    assert verify(path, stimuli=12, jobs=2).holds
    for number, change in enumerate((("C4 mem 0 1n", "C4 mem 0 1.2n"), ("C2 phi2 0 1n", "C2 phi2 0 0.8n"))):
        changed = copy_of("pll_nlif_pwm", tmp_path / str(number), change)
        assert not verify(path, netlist=changed, stimuli=12, jobs=2).holds, change


def test_command_line_status_and_file(averaged, tmp_path, capsys):
    from neuronsim.cli import main

    out = tmp_path / "v.json"
    with pytest.raises(SystemExit) as done:
        main(["verify", str(averaged), "--stimuli", "16", "--out", str(out), "--quiet", "--jobs", "1"])
    assert done.value.code == 0
    assert "the card holds" in capsys.readouterr().out
    assert json.loads(out.read_text())["holds"] is True
    changed = copy_of("pll_nlif_averaged", tmp_path, ("Cmem mem 0 1n", "Cmem mem 0 1.2n"))
    with pytest.raises(SystemExit) as done:
        main(["verify", str(averaged), "--netlist", str(changed), "--stimuli", "16", "--quiet", "--jobs", "1"])
    assert done.value.code == 6
    text = capsys.readouterr().out
    assert "does not hold" in text
    assert "changed since the card was made" in text
    with pytest.raises(SystemExit) as done:
        main(["verify", str(tmp_path / "none.json"), "--quiet"])
    assert done.value.code == 2
