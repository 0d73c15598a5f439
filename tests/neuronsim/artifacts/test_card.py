"""Model cards on disk: what is refused, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

import neuronsim
from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.card_parts import Range
from neuronsim.artifacts.cards import card_schema
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import DataError, InputError
from neuronsim.statistics.estimate import Estimate


@pytest.fixture
def path(circuit, tmp_path) -> Path:
    out = tmp_path / "card.json"
    neuronsim.calibrate(circuit(fit_noise=1e-3, transfer=60, sigma_v=0.01, phase_noise=(8, 8)).dataset(0), out=out)
    return out


def edit(path: Path, *keys, value, drop=False) -> Path:
    content = json.loads(path.read_text())
    part = content
    for key in keys[:-1]:
        part = part[key]
    if drop:
        del part[keys[-1]]
    else:
        part[keys[-1]] = value
    path.write_text(json.dumps(content))
    return path


def test_round_trip(path):
    card = ModelCard.load(path)
    again = path.with_name("again.json")
    card.save(again)
    assert again.read_bytes() == path.read_bytes()
    assert not card.edited


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("schema_version",), 99, "has schema_version 99, this neuronsim reads 1"),
        (("kernel", "colour"), 1, "field 'kernel.colour'"),
        (("kernel", "tau_s", "value"), "fast", "kernel.tau_s.value = 'fast'"),
        (("kernel", "tau_s"), {"value": -1.0, "low": -2.0, "high": 0.0}, "kernel.tau_s = -1 is out of range"),
        (("weights", "mismatch_sigma"), {"value": 5.0, "low": 5.0, "high": 5.0}, "a fraction, not percent"),
        (("weights", "gain", "low"), 1e9, "lies outside its interval"),
        (("missing_probability", "high"), None, "missing_probability.high"),
        (("kind",), "spiking", "its kind is 'spiking'"),
        (("valid_weight", "low"), 1e9, "is above high"),
        (("weights", "gain", "value"), 1.0000001, "was changed after it was made"),
        (("provenance", "seed"), 1234, "was changed after it was made"),
        (("digest",), "", "was changed after it was made"),
    ],
)
def test_a_wrong_card_is_refused_by_name(path, keys, value, words):
    with pytest.raises(DataError, match=words):
        ModelCard.load(edit(path, *keys, value=value))


def test_a_missing_field_is_named(path):
    with pytest.raises(DataError, match="frozen: Field required"):
        ModelCard.load(edit(path, "frozen", value=None, drop=True))


def test_an_edit_on_purpose_is_used_and_stays_marked(path):
    gain = json.loads(path.read_text())["weights"]["gain"]
    edit(path, "weights", "gain", "value", value=gain["high"])
    edit(path, "digest", value="unsigned")
    card = ModelCard.load(path)
    assert isinstance(card, TTFSCard)
    assert card.edited
    assert card.weights.gain.value == gain["high"]
    card.save(path)
    assert ModelCard.load(path).edited


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00\x01", '{"schema": 1}'])
def test_what_is_no_card_is_refused(tmp_path, text):
    file = tmp_path / "no.json"
    file.write_text(text)
    with pytest.raises(DataError, match="card"):
        ModelCard.load(file)
    with pytest.raises(InputError, match="neuronsim calibrate"):
        ModelCard.load(tmp_path / "absent.json")


def test_scaled_noise_scales_temporal_noise_only(path):
    card = ModelCard.load(path)
    assert isinstance(card, TTFSCard)
    louder = card.scaled_noise(30.0)
    assert louder.timing_noise.sigma_v.value == pytest.approx(30 * card.timing_noise.sigma_v.value)
    assert louder.timing_noise.floor_s.high == pytest.approx(30 * card.timing_noise.floor_s.high)
    assert louder.frozen == card.frozen
    assert louder.edited
    with pytest.raises(InputError, match="noise scale"):
        card.scaled_noise(-1.0)


def test_parts_are_frozen_and_ordered():
    assert Estimate.exact(2.0).low == 2.0
    for wrong in ({"value": 1, "low": 2, "high": 3}, {"value": float("nan"), "low": 0, "high": 1}):
        with pytest.raises(ValidationError):
            Estimate(**wrong)
    with pytest.raises(ValidationError):
        Range(low=2, high=1)
    with pytest.raises(ValidationError):
        Estimate.exact(1.0).value = 3.0  # type: ignore[misc]


def test_exported_json_schema_is_current():
    file = Path(neuronsim.__file__).with_name("artifacts") / "model_card.schema.json"
    assert json.loads(file.read_text()) == json.loads(json.dumps(card_schema())), (
        "neuronsim/model_card.schema.json is stale: write card_schema() to it (json.dumps, indent=2, sort_keys=True)"
    )


def test_a_new_field_with_a_default_changes_no_digest(path):
    """A file without the fields that are at their defaults has the digest of one with them."""
    content = json.loads(path.read_text())
    optional = [name for name, value in content["quality"].items() if value is None]
    assert optional
    for name in optional:
        del content["quality"][name]
    path.write_text(json.dumps(content))
    card = ModelCard.load(path)
    assert card.digest == content["digest"]
    with pytest.raises(DataError, match="was changed"):
        ModelCard.load(edit(path, "quality", "bias", value=0.1))
