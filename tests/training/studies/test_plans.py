"""Plans of studies: right when they are made, the same after TOML, and the only source of their commands' options."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from neuronsim.cli import app
from neuronsim.errors import DataError, InputError
from neuronsim.training.studies.noise_adaptor import run as noise_adaptor
from neuronsim.training.studies.noise_adaptor.plan import NoiseAdaptorPlan
from neuronsim.training.studies.noisy_weights import run as noisy_weights
from neuronsim.training.studies.noisy_weights.plan import NoisyWeightsPlan
from neuronsim.training.studies.plan import StudyPlan
from neuronsim.training.studies.robustness.plan import RobustnessPlan

PLANS = StudyPlan.__subclasses__()


@pytest.mark.parametrize(
    "plan",
    [*(plan() for plan in PLANS), NoisyWeightsPlan.quick(), NoiseAdaptorPlan.quick(),
     NoiseAdaptorPlan(experiment=NoiseAdaptorPlan().chosen_experiment())],
)  # fmt: skip
def test_toml_keeps_a_plan(plan, tmp_path):
    assert type(plan).load(plan.save(tmp_path / "plan.toml")) == plan


def test_a_plan_file_is_checked(tmp_path):
    path = tmp_path / "plan.toml"
    with pytest.raises(InputError, match="no plan file"):
        RobustnessPlan.load(path)
    path.write_text("[robustness\n")
    with pytest.raises(DataError, match="not valid TOML"):
        RobustnessPlan.load(path)
    path.write_text("[robustness]\nchips = 1\n")
    with pytest.raises(InputError, match="chips = 1 is out of range: at least 2"):
        RobustnessPlan.load(path)
    with pytest.raises(InputError, match=r"one table, \[noisy-weights\]"):
        NoisyWeightsPlan.load(path)


def test_values_count_once_and_departures_from_the_paper_are_known():
    plan = NoisyWeightsPlan(levels=(1, 0, 1.0), architectures=("cnn", "cnn"), reset="subtract")
    assert (plan.levels, plan.architectures) == ((1.0, 0.0), ("cnn",))
    assert plan.departures == [["reset", "subtract"]]
    assert NoisyWeightsPlan.quick().departures == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], NoisyWeightsPlan()),
        (["--level", "0", "--level", "20", "--scale", "2", "--only", "fc"],
         NoisyWeightsPlan(levels=(0, 0.2), scales=(2,), architectures=("fc",))),
        (["--quick", "--images", "30", "--law", "sqrt"], NoisyWeightsPlan.quick().changed(images=30, law="sqrt")),
        (["--plan", "plan.toml", "--trials", "3"], NoisyWeightsPlan(trials=3, steps=20)),
    ],
)  # fmt: skip
def test_options_make_the_plan(arguments, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NoisyWeightsPlan(trials=2, steps=20).save("plan.toml")
    made = []
    monkeypatch.setattr(noisy_weights, "reproduce_noisy_weights", lambda plan, *_, **__: made.append(plan) or 1 / 0)
    CliRunner().invoke(app, ["reproduce", "noisy-weights", *arguments])
    assert made == [expected]


def test_options_of_a_choice_and_of_what_is_on_or_off(monkeypatch):
    made = []
    monkeypatch.setattr(noise_adaptor, "reproduce_noise_adaptor", lambda plan, *_, **__: made.append(plan) or 1 / 0)
    CliRunner().invoke(app, ["reproduce", "noise-adaptor", "-p", "2", "-p", "3", "--no-corrections", "--data", "mnist"])
    assert made == [NoiseAdaptorPlan(levels=(2, 3), corrections=False, data="mnist")]


def test_a_plan_and_quick_contradict_each_other(tmp_path):
    result = CliRunner().invoke(app, ["reproduce", "noisy-weights", "--quick", "--plan", str(tmp_path / "p.toml")])
    assert isinstance(result.exception, InputError)


@pytest.mark.parametrize(
    ("command", "plan"),
    [
        (["reproduce", "noisy-weights"], NoisyWeightsPlan),
        (["reproduce", "noise-adaptor"], NoiseAdaptorPlan),
        (["robustness"], RobustnessPlan),
    ],
)
def test_help_has_the_words_and_defaults_of_the_plan(command, plan):
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}).stdout
    shown = re.sub(r"\s+", " ", shown)
    assert " ".join(plan.__doc__.split()[:6]) in shown
    for field in plan.model_fields.values():
        assert field.description
        assert field.description[1:20] in shown
    assert "Default: 20." in shown or plan is NoiseAdaptorPlan
