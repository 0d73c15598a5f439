"""Numbers as the report prints them, and the reading of training runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuronsim import units
from neuronsim.artifacts.training_run import TrainingRun, load_epochs
from neuronsim.errors import DataError, InputError
from neuronsim.statistics.summary import Summary, mean_interval

HEADER = "stage,epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds\n"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (50e-9, "s", "50 ns"),
        (1e-12, "F", "1 pF"),
        (999.96e-9, "A", "1 µA"),
        (100e3, "ohm", "100 kΩ"),
        (0.3, "rad", "0.3 rad"),
        (200.0, "1", "200"),
        (-1.5e-3, "V", "-1.5 mV"),
        (0.0, "J", "0 J"),
        (math.inf, "s", "∞ s"),
        (1.15e-7, "s^0.5", "1.15×10⁻⁷ √s"),
    ],
)
def test_quantities_have_engineering_prefixes(value: float, unit: str, text: str) -> None:
    assert units.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.00397, "0.397 %"),
        (0.00024, "0.0240 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (8.44e-7, "8.44×10⁻⁵ %"),
        (math.nan, "–"),
    ],
)
def test_percent_has_three_significant_digits(fraction: float, text: str) -> None:
    assert units.percent(fraction) == text


def test_rounding_up_carries_into_the_next_decade() -> None:
    assert units.significant(0.99996, 4) == "1.000"
    assert units.trimmed(1e-5) == "10⁻⁵"


def test_intervals_name_their_unit_and_power_once() -> None:
    assert units.mean_with_interval(6.33e-4, 5.63e-4, 7.18e-4) == "0.0633 [0.0563, 0.0718] %"
    assert units.mean_with_interval(3.18e-8, 2.84e-8, 3.5e-8) == "3.18 [2.84, 3.50]×10⁻⁶ %"
    assert units.percents(0.000341, 0.00427) == "0.0341 … 0.427 %"


def test_names_lose_their_unit_suffix_but_keep_their_unit() -> None:
    assert (units.pretty("energy_per_spike_j"), units.unit_of("energy_per_spike_j")) == ("energy per spike", "J")
    assert (units.pretty("gain_sigma"), units.unit_of("gain_sigma")) == ("gain sigma", "")


def test_the_bootstrap_interval_covers_the_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        low, high = mean_interval(generator.exponential(1.0, 60))
        covered += low <= 1.0 <= high
    assert 180 <= covered <= 198


def test_a_summary_of_nothing_is_nan_and_not_an_error() -> None:
    assert Summary.of(np.array([])).n == 0
    assert math.isnan(Summary.of(np.array([])).mean)


def test_epochs_come_in_order_with_their_stage(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text(
        HEADER + "float,1,.9,.8,.9,.7,1e-3,2\nfloat,2,.5,.9,.6,.8,1e-3,2\n4-bit,1,.4,,.5,.8,1e-4,2\n"
    )
    epochs = load_epochs(tmp_path / "metrics.csv")
    assert [epoch.stage for epoch in epochs] == ["float", "float", "4-bit"]
    assert [epoch.epoch for epoch in epochs] == [1, 2, 1]
    assert math.isnan(epochs[2].train_accuracy)
    assert load_epochs(tmp_path / "no.csv") == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stage,epoch\nfloat,1\n", "column 'train_loss' is missing"),
        (HEADER + "float,1,.9,.8,x,.7,1e-3,2\n", r"line 2: column 'val_loss' is 'x'"),
        (HEADER + "float,1,.9\n", r"line 2: cut short before column 'train_accuracy'"),
        (HEADER + "float,,.9,.8,.9,.7,1e-3,2\n", "column 'epoch' is empty"),
    ],
)
def test_corrupt_metrics_are_named(tmp_path, content: str, message: str) -> None:
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(DataError, match=message) as error:
        load_epochs(tmp_path / "metrics.csv")
    assert str(tmp_path / "metrics.csv") in str(error.value)


def test_a_folder_without_a_run_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no training run at .*run\.json"):
        TrainingRun.load(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(DataError, match="JSON object"):
        TrainingRun.load(tmp_path / "run.json")
