"""Model libraries in installed packages: what may be read, what takes its place at a corner, what is refused."""

import shutil
from dataclasses import replace

import pytest

from neuronsim.circuits import load_manifest
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.operating_point import OperatingPoint
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import CurrentStimulus, Run
from neuronsim.circuits.neuron import foundry_library as library
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.neuron.netlist import model_text, read_netlist
from neuronsim.circuits.neuron.process import load_process
from neuronsim.errors import DataError, InputError, MissingToolError

LIBRARY = """* a foundry's library
.LIB typical
.lib 'models.spice' slow_n
.param which=0
.ENDL
* models
.lib slow_n
* a remark
.param dvtn=0.04
.endl slow_n
.lib fast_n
.param dvtn=-0.04
.endl fast_n
.lib harmful
.control
.endl
.lib round
.lib 'models.spice' round
.endl
"""
REFERENCE = "package:fake-pdk/fakepdk/models.spice"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed distribution with a model library; gives its folder."""
    site = tmp_path / "site"
    (site / "fakepdk").mkdir(parents=True)
    (site / "fakepdk" / "models.spice").write_text(LIBRARY)
    (site / "secret.txt").write_text("not of the package\n")
    info = site / "fake_pdk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-pdk\nVersion: 1.0\n")
    (info / "RECORD").write_text("fakepdk/models.spice,,\nfakepdk/../secret.txt,,\n")
    monkeypatch.syspath_prepend(str(site))
    for function in (library.locate, library.digest, library._sections):
        function.cache_clear()
    yield site
    for function in (library.locate, library.digest, library._sections):
        function.cache_clear()


@pytest.fixture
def neuron(package, tmp_path):
    """Path of an axon hillock whose model file also names a section of the library."""
    folder = tmp_path / "own"
    shutil.copytree(netlist_folder(), folder)
    models = folder / "models" / "generic65.lib"
    models.write_text(models.read_text() + f".lib {REFERENCE} slow_n\n")
    process = folder / "models" / "generic65.toml"
    process.write_text(process.read_text() + '\n[sections]\nff = { slow_n = "fast_n" }\n')
    return folder / "axon_hillock.toml"


def test_a_section_comes_with_those_that_it_uses(package):
    assert library.section(REFERENCE, "slow_n") == [".param dvtn=0.04"]
    assert library.section(REFERENCE, "TYPICAL") == [".param dvtn=0.04", ".param which=0"]
    assert library.versions([REFERENCE, REFERENCE]) == {"fake-pdk": "1.0"}


@pytest.mark.parametrize(
    ("reference", "name", "kind", "says"),
    [
        ("package:no-such-pdk/models.spice", "tt", MissingToolError, "not installed: pip install no-such-pdk"),
        ("package:fake-pdk/secret.txt", "tt", InputError, "did not install a file secret.txt"),
        ("package:fake-pdk/fakepdk/../secret.txt", "tt", InputError, "did not install a file"),
        ("package:fake-pdk//etc/passwd", "tt", InputError, "did not install a file"),
        ("package:fake-pdk", "tt", InputError, "names no file"),
        (REFERENCE, "slow", InputError, "no section 'slow'. Did you mean 'slow_n'"),
        (REFERENCE, "harmful", DataError, "runs commands"),
        (REFERENCE, "round", DataError, "includes itself"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused(package, reference, name, kind, says):
    with pytest.raises(kind, match=says):
        library.section(reference, name)


def test_a_missing_pdk_is_told_with_its_extra(monkeypatch):
    def absent(name):
        raise library.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(library.importlib.metadata, "distribution", absent)
    library.locate.cache_clear()
    library.digest.cache_clear()
    with pytest.raises(MissingToolError, match=r"pip install 'neuronsim\[gf180\]'"):
        read_netlist(load_manifest("pll_nlif_gf180"))


def test_a_corner_takes_other_sections(neuron):
    manifest = load_manifest(neuron)
    netlist = read_netlist(manifest)
    assert f".lib {REFERENCE} slow_n" in netlist.text
    run = Run(plan="x", trial=0, window_s=1e-7, stimulus=CurrentStimulus(current_a=1e-7))
    decks = {
        corner: build(
            resolve(manifest, replace(run, operating=OperatingPoint(corner=corner))),
            netlist,
        ).deck
        for corner in ("tt", "ff", None)
    }
    assert ".param dvtn=0.04\n" in decks["tt"]
    assert ".param dvtn=0.04\n" in decks[None]
    assert ".param dvtn=-0.04\n.param" in decks["ff"]
    assert "package:" not in "".join(decks.values())


def test_the_digest_of_a_netlist_covers_its_library(neuron, package):
    before = read_netlist(load_manifest(neuron)).sha256
    library.digest.cache_clear()
    (package / "fakepdk" / "models.spice").write_text(LIBRARY.replace("0.04", "0.05"))
    assert read_netlist(load_manifest(neuron)).sha256 != before


def test_a_section_must_be_named_and_exist(neuron):
    models = neuron.parent / "models" / "generic65.lib"
    text = models.read_text()
    for line, says in (
        (f".include {REFERENCE}", "needs the name of a section"),
        (f".lib {REFERENCE} sl", "no section"),
    ):
        models.write_text(text.replace(f".lib {REFERENCE} slow_n", line))
        with pytest.raises(InputError, match=f"generic65.lib, line .*{says}"):
            read_netlist(load_manifest(neuron))


def test_sections_belong_to_corners(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('name = "p"\nsummary = ""\n[corners]\ntt = {}\n[sections]\nss = { a = "b" }\n')
    with pytest.raises(DataError, match="'ss', which is not one of the corners"):
        load_process(path)


def test_models_without_a_library_are_their_text():
    text = model_text(netlist_folder() / "models" / "generic65.lib", {})
    assert ".model nch nmos" in text
    assert not [line for line in text.splitlines() if line.startswith("*")]
