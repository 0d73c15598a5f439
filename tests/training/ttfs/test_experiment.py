"""Experiments as TOML: the shipped ones, the round trip, and what is refused."""

from __future__ import annotations

import tomllib

import pytest

from neuronsim.errors import DataError, InputError
from neuronsim.training.experiment_files import parse, to_toml
from neuronsim.training.ttfs.experiment import Experiment, load_experiment, shipped_experiments

MINIMAL = """
name = "x"
data = "digits"
batch_size = 8
[[layers]]
kind = "linear"
outputs = 10
[[stages]]
epochs = 2
lr = 1e-3
lr_end = 1e-4
"""


@pytest.mark.parametrize("name", sorted(shipped_experiments()))
def test_shipped_experiments_are_valid_and_survive_the_round_trip(name):
    experiment = load_experiment(name)
    assert experiment.name == name
    assert parse(Experiment, tomllib.loads(to_toml(experiment)), "copy") == experiment


def test_names_with_hyphens_and_paths(tmp_path):
    assert load_experiment("digits-quick").name == "digits_quick"
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert load_experiment(path).epochs == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size = 8", "batchsize = 8", "batch"),
        ('data = "digits"', 'data = "digit"', "data = 'digit'.*Did you mean 'digits'"),
        ("epochs = 2", "epochs = 0", r"stages\.0\.epochs"),
        ("lr = 1e-3", "lr = nan", r"stages\.0\.lr"),
        ("lr_end = 1e-4", 'lr_end = 1e-4\nschedule = "constant"', "contradicts"),
        ("lr_end = 1e-4", "lr_end = 1e-4\nbitz = 4", "bitz.*Did you mean 'bits'"),
        ("outputs = 10", "channels = 10", "layers"),
        ('kind = "linear"', 'kind = "dense"', "layers"),
        ("[[layers]]", '[optimizer]\nclip = "norm"\n[[layers]]', "clip_value"),
        ("[[layers]]", "[optimizer]\nprecondition_every = 5\n[[layers]]", "soap"),
        ("[[layers]]", '[optimizer]\nname = "adam"\nweight_decay = 0.1\n[[layers]]', "adamw"),
        ("[[layers]]", "[loss]\ncap = 0.5\n[[layers]]", r"loss\.cap"),
    ],
)
def test_bad_experiments_name_file_and_field(tmp_path, old, new, message):
    assert old in MINIMAL
    path = tmp_path / "bad.toml"
    path.write_text(MINIMAL.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_experiment(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(MINIMAL.replace('name = "x"', 'name = "x', 1))
    with pytest.raises(DataError, match=r"bad\.toml: not valid TOML"):
        load_experiment(path)


def test_unknown_names_get_the_nearest(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'digits_quick'"):
        load_experiment("digits_quik")
    with pytest.raises(InputError, match="no experiment file"):
        load_experiment(tmp_path / "none.toml")


def test_shortened_experiments_keep_their_stages():
    demo = load_experiment("demo_mnist_4bit")
    short = demo.with_epochs(3)
    assert short.epochs == 3
    assert [stage.bits for stage in short.stages] == [stage.bits for stage in demo.stages]
    assert demo.with_epochs(40).epochs == 40
    with pytest.raises(InputError, match="epochs = 1"):
        demo.with_epochs(1)


def test_digest_ignores_words_and_sees_numbers():
    one = load_experiment("digits_quick")
    assert one.digest() == one.model_copy(update={"description": "other words"}).digest()
    assert one.digest() != one.model_copy(update={"seed": 7}).digest()


def test_fashion_differs_from_mnist_by_its_data_only():
    differs = {"name", "description", "data"}
    fashion, mnist = (load_experiment(name).model_dump(exclude=differs) for name in ("fashion_ttfs", "mnist_ttfs"))
    assert fashion == mnist


def test_base_gives_what_the_file_leaves_out(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "digits_quick"\nname = "mine"\n[[stages]]\nepochs = 1\nlr = 1e-3\nlr_end = 1e-4\n')
    mine, base = load_experiment(path), load_experiment("digits_quick")
    assert (mine.name, mine.epochs, mine.layers, mine.encoding) == ("mine", 1, base.layers, base.encoding)
    path.write_text('base = "digits_quik"\nname = "mine"\n')
    with pytest.raises(InputError, match=r"digits_quik.*Did you mean 'digits_quick'"):
        load_experiment(path)
