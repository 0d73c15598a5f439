"""Manifests say what is wrong with them."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from neuronsim.circuits import load_manifest, neurons
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import NoiseDraw, Run, SpikeStimulus
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.errors import DataError, InputError


@pytest.fixture
def copy_of(tmp_path):
    """Copies an installed neuron into a folder of its own and changes its manifest or netlist text."""

    def copy(name="pll_nlif_averaged", manifest=(), netlist=()):
        toml = (netlist_folder() / f"{name}.toml").read_text()
        lib = (netlist_folder() / f"{name}.lib").read_text()
        for old, new in manifest:
            assert old in toml, old
            toml = toml.replace(old, new)
        for old, new in netlist:
            assert old in lib, old
            lib = lib.replace(old, new)
        (tmp_path / f"{name}.lib").write_text(lib)
        path = tmp_path / f"{name}.toml"
        path.write_text(toml)
        return path

    return copy


def test_every_installed_neuron_is_consistent():
    assert {"pll_nlif_averaged", "pll_nlif_pwm", "if_behavioral", "lif_behavioral"} <= set(neurons())
    for name in neurons():
        manifest = load_manifest(name)
        assert manifest.name == name
        assert len(read_netlist(manifest).sha256) == 64


def test_unknown_neuron_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'pll_nlif_averaged'"):
        load_manifest("pll_nlif_avraged")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('code = "ttfs"\n', ""), "code: Field required"),
        (('code = "ttfs"', 'code = "rank"'), r"code = 'rank' is not known\. Did you mean 'rate'\? Known: rate, ttfs"),
        (('summary = "', 'sumary = "x"\nsummary = "'), "sumary.*Did you mean 'summary'"),
        (('reference = "thr"', 'reference = "thr"\nlevel_v = 1.0'), "either 'level_v' or 'reference'"),
        (('kind = "step"', 'kind = "pulse"'), "'width' belongs to kind"),
        (('kind = "step"', 'kind = "step"\nthreshold = "thr"'), "'threshold' belongs to kind"),
        (('node = "mem"', 'node = "membrane"'), "'membrane' is not one of the ports"),
        (('unit = "tau"', 'unit = "taus"'), "'taus' is not one of the parameters"),
        (("default = 50e-9", "default = -50e-9"), "must be above 0"),
        (("default = 50e-9", "default = nan"), "finite number"),
        (("[bench.f0]", "[bench.tau]"), "under both"),
        (("[ports]", "[ports"), "not valid TOML"),
        (('"comparator -> out"', '"comparator - out"'), "schematic.*'comparator - out' is not 'A -> B'"),
        (('"comparator -> out"', '"comparator -> q"'), "schematic.*'q' is not one of the blocks"),
    ],
)
def test_bad_manifest_is_refused_with_its_field(copy_of, change, says):
    path = copy_of(manifest=[change])
    with pytest.raises(DataError, match=says) as caught:
        load_manifest(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ((".ends pll_nlif_averaged", ""), DataError, "never closed"),
        ((".subckt pll_nlif_averaged", ".subckt other"), DataError, "no subcircuit 'pll_nlif_averaged'"),
        (("sum rst noise mem", "sum rst mem"), DataError, "no port 'noise'"),
        (("lf tau=50n r=200", "lf tau=50n"), DataError, "no parameter 'r'"),
        (("Rlf pd lf 1k", "Rlf pd lf 0"), DataError, "resistance 0"),
        (("Rlf pd lf 1k", "Rlf pd lf -1k"), DataError, "resistance -1k"),
        (("Rlf pd lf 1k", "Rlf pd lf nan"), DataError, "resistance nan"),
        (("* comparator and latch", ".control"), InputError, "--trust"),
        (("* comparator and latch", "shell rm x"), InputError, "--trust"),
        (("* comparator and latch", ".include /etc/passwd"), InputError, "outside the netlist's folder"),
        (("* comparator and latch", ".include ../far.lib"), InputError, "outside the netlist's folder"),
        (("* comparator and latch", ".include missing.lib"), DataError, "does not exist"),
        (("* comparator and latch", ".include models/generic65.lib"), DataError, "comes with neuronsim: copy .*models"),
        (("* comparator and latch", ".include pll_nlif_averaged.lib"), DataError, "includes are nested"),
    ],
)
def test_bad_netlist_is_refused(copy_of, change, kind, says):
    manifest = load_manifest(copy_of(netlist=[change]))
    with pytest.raises(kind, match=says):
        read_netlist(manifest)


def test_trust_allows_what_was_refused(copy_of, tmp_path):
    (tmp_path.parent / "far.lib").write_text("Rfar a 0 1k\n")
    manifest = load_manifest(copy_of(netlist=[("* comparator and latch", ".include ../far.lib")]))
    assert "Rfar a 0 1k" in read_netlist(manifest, trust=True).text


def test_manifest_missing_netlist(copy_of):
    path = copy_of()
    path.with_suffix(".lib").unlink()
    with pytest.raises(DataError, match="does not exist"):
        read_netlist(load_manifest(path))


def test_parameters_out_of_range():
    manifest = load_manifest("lif_behavioral")
    with pytest.raises(InputError, match="rleak = 0 must be above 0 ohm"):
        manifest.checked({"rleak": 0.0})
    with pytest.raises(InputError, match="Did you mean 'rleak'"):
        manifest.checked({"rlek": 1.0})
    with pytest.raises(InputError, match="not a finite number"):
        manifest.checked({"rleak": float("nan")})


def test_manifest_survives_toml():
    raw = tomllib.loads((netlist_folder() / "pll_nlif_pwm.toml").read_text())
    manifest = load_manifest("pll_nlif_pwm")
    assert manifest.parameters["f0"].default == raw["parameters"]["f0"]["default"] == 1e9


def test_a_comment_is_no_part_of_the_deck(copy_of):
    before = read_netlist(load_manifest(copy_of()))
    after = read_netlist(load_manifest(copy_of(netlist=[(".ends", "* a remark\n\n.ends")])))
    assert after.text == before.text
    assert after.sha256 != before.sha256  # provenance still tells the files apart


def test_noise_may_go_into_several_ports(copy_of):
    path = copy_of(
        "pll_nlif_transistor",
        manifest=[
            ('port = "sum"\ndensity', 'port = ["sum", "lf"]\ndensity'),
            ('"models/generic65.toml"', f'"{netlist_folder() / "models" / "generic65.toml"}"'),
        ],
        netlist=[(".include ", f".include {netlist_folder()}/")],
    )
    manifest = load_manifest(path)
    netlist = read_netlist(manifest, trust=True)
    quiet = Run(plan="x", trial=0, window_s=2e-8, stimulus=SpikeStimulus(times_s=(5e-9,), weights=(1.0,)))
    assert "Inoise" not in build(resolve(manifest, quiet), netlist).deck
    deck = build(resolve(manifest, replace(quiet, noise=NoiseDraw(seed=3))), netlist).deck
    sources = [text.split("PWL")[1].split("\nI")[0] for text in deck.split("Inoise")[1:]]
    assert len(sources) == 2
    values = [np.array(text.replace("\n+", " ").strip("()\n ").split(")")[0].split(), dtype=float) for text in sources]
    first, second = (found[1::2] for found in values)
    assert first.std() == pytest.approx(second.std(), rel=0.3)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
    with pytest.raises(DataError, match="'nowhere' is not one of the ports"):
        load_manifest(
            copy_of("pll_nlif_transistor", manifest=[('port = "sum"\ndensity', 'port = ["nowhere"]\ndensity')])
        )


def test_an_error_budget_is_checked(copy_of):
    terms = load_manifest("pll_nlif_transistor").error_budget
    assert any(term.mended for term in terms)
    assert any(term.spike_time_s and not term.mended for term in terms)
    with pytest.raises(DataError, match="error_budget"):
        load_manifest(copy_of("pll_nlif_transistor", manifest=[("membrane = 0.0093", "membrane = -1")]))
