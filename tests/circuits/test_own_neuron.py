"""A neuron of one's own: a manifest of under 20 lines, as netlists/README.md shows it, through to card and energy."""

import re
import shutil
from pathlib import Path

import pytest

from neuronsim import calibrate
from neuronsim.artifacts.dataset import silence
from neuronsim.circuits import characterize, load_manifest, load_plans
from neuronsim.circuits.plans import FICurve
from neuronsim.errors import DataError

README = Path(__file__).parents[2] / "netlists" / "README.md"

NETLIST = """* my_lif: capacitor, leak, switch; draws 10 uA from vdd all the time
.subckt my_lif in out mem vdd vdd_v=1
Rmem in mem 1
Cm in 0 0.1p
Rleak in 0 1g
Rload vdd 0 100k
Scmp vdd fire in mid comparator
Vmid mid 0 {vdd_v/2}
.model comparator sw(vt=0 vh=0.4 ron=1k roff=1e12)
Rfire fire 0 1meg
Cfire fire 0 1f
Bout out 0 V = V(fire) > 0.5 ? 1 : 0
Srst in 0 fire 0 reset
.model reset sw(vt=0.5 vh=0.1 ron=1k roff=1e15)
.ends my_lif
"""


@pytest.fixture
def own(tmp_path):
    manifest = re.search(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)[1]
    assert len(manifest.splitlines()) < 20
    shutil.copytree(README.parent / "models", tmp_path / "models")
    (tmp_path / "my_lif.toml").write_text(manifest)
    (tmp_path / "my_lif.lib").write_text(NETLIST)
    return tmp_path / "my_lif.toml"


def test_own_neuron_from_manifest_to_card(own):
    plan = FICurve(points=12, low_a=1e-7, high_a=1e-6, window=80)
    data = characterize(own, [plan])
    assert (data["status"] == "ok").all()
    expected = 1.0**2 / 100e3 * data["window_s"].values
    assert data["energy_j"].values == pytest.approx(expected, rel=0.05)
    card = calibrate(data)
    assert card.code == "rate"
    assert card.quality.median_error < 0.02
    assert card.energy is not None
    assert card.energy.static_w.value == pytest.approx(1e-5, rel=0.05)
    assert set(data["waveform_mem_v"].dims) == {"trace", "sample"}


def test_plan_file_of_the_readme(tmp_path):
    text = re.search(r"```toml\n(\[fi\].*?)```", README.read_text(), re.DOTALL)[1]
    (tmp_path / "first_look.toml").write_text(text)
    plans = load_plans(tmp_path / "first_look.toml")
    assert [plan.kind for plan in plans] == ["fi", "membrane_noise"]
    runs = [run for plan in plans for run in plan.runs(load_manifest("axon_hillock"), {}, 0)]
    assert len(runs) == 20 + 4 * (1 + 5)


def test_own_neuron_with_a_spike_level_out_of_reach(own):
    own.write_text(own.read_text().replace("level_v = 0.5", "level_v = 1.5"))
    data = characterize(own, [FICurve(points=4, low_a=1e-7, high_a=1e-6, window=20)])
    assert (data["status"] == "ok").all()
    assert re.match(r"no spike: out stayed between \S+ and 1 V, the spike level is 1.5 V", silence(data) or "")
    with pytest.raises(DataError, match=r"(?s)stayed silent at all 4 .*correct \[spike\].*level is 1.5 V"):
        calibrate(data)


def test_own_neuron_with_a_wrong_port_name(own):
    own.write_text(own.read_text().replace('vdd = "supply"', 'vss = "supply"').replace("{ vdd = ", "{ vss = "))
    with pytest.raises(DataError, match="no port 'vss'"):
        characterize(own, "fi")
