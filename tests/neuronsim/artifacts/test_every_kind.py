"""Every kind of artifact, found by its registration: written, read, written again; damage, other kinds and versions refused."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
import xarray as xr
from pydantic import BaseModel

from neuronsim.artifacts import catalogue
from neuronsim.artifacts.base import UNSIGNED, Artifact, JsonArtifact
from neuronsim.artifacts.catalogue import SHIPPED
from neuronsim.artifacts.dataset import Characterization
from neuronsim.artifacts.netcdf import NetcdfArtifact
from neuronsim.errors import DataError, InputError


def example(kind: type[Artifact], circuit: Any) -> Artifact:
    """An artifact of a kind: JSON from its fields, netCDF from a synthetic circuit or from its own list of variables."""
    if issubclass(kind, JsonArtifact):
        return _value(kind)
    assert issubclass(kind, NetcdfArtifact)
    if kind is Characterization:
        return kind(circuit(transfer=5).dataset(0))
    names = kind.variables
    return kind(xr.Dataset({name: (("run",), np.array([1.0, np.inf])) for name in names}, attrs={"seed": 3}))


def _value(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return None if type(None) in arguments else _value(arguments[0])
    if origin is list:
        return [_value(arguments[0])]
    if origin is tuple:
        return tuple(_value(a) for a in arguments if a is not Ellipsis)
    if origin is dict:
        return {_value(arguments[0]): _value(arguments[1])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        return annotation(**{name: _value(field.annotation) for name, field in fields.items() if name != "digest"})
    return {float: 0.5, int: 1, bool: True, str: "x", Any: 1.0}[annotation]


@pytest.fixture(params=sorted(SHIPPED))
def artifact(request: pytest.FixtureRequest, circuit: Any) -> Artifact:
    return example(SHIPPED[request.param], circuit)


def test_all_that_ships_is_registered_under_its_kind():
    assert len(SHIPPED) >= 10
    for name, kind in SHIPPED.items():
        assert (kind.noun, kind.made_by) != (Artifact.noun, Artifact.made_by), name


def test_round_trip(artifact: Artifact, tmp_path: Path):
    path = artifact.save(tmp_path / f"a{artifact.suffix}")
    again = type(artifact).load(path)
    assert again.content_digest() == artifact.content_digest() == again.digest
    assert catalogue.kind_of(path) == artifact.kind
    assert type(catalogue.read(path)) is type(artifact)
    assert again.save(tmp_path / f"b{artifact.suffix}").read_bytes() == path.read_bytes()
    if isinstance(artifact, JsonArtifact):
        assert again == artifact.signed()


def test_a_file_of_another_kind_or_version_is_refused(artifact: Artifact, tmp_path: Path):
    kind = type(artifact)
    with pytest.raises(InputError, match=f"no {kind.noun} at .*{kind.made_by}"):
        kind.load(tmp_path / "absent")
    for name, value, words in (
        ("kind", "stranger", "its kind is 'stranger'"),
        ("schema_version", 99, "has schema_version 99"),
    ):
        with pytest.raises(DataError, match=words):
            kind.load(_changed(artifact, tmp_path, **{name: value}))


def test_what_was_changed_by_hand_is_refused_unless_marked(artifact: Artifact, tmp_path: Path):
    with pytest.raises(DataError, match="does not match its digest"):
        type(artifact).load(_changed(artifact, tmp_path, digest="0" * 64))
    with pytest.raises(DataError, match="does not match its digest"):
        type(artifact).load(_changed(artifact, tmp_path, digest=""))
    edited = type(artifact).load(_changed(artifact, tmp_path, digest=UNSIGNED))
    assert edited.edited
    assert type(artifact).load(edited.save(tmp_path / f"edited{artifact.suffix}")).edited


def _changed(artifact: Artifact, folder: Path, **changes: Any) -> Path:
    """The artifact's file with other values in its envelope."""
    path = artifact.save(folder / f"changed{artifact.suffix}")
    if isinstance(artifact, JsonArtifact):
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    else:
        with xr.open_dataset(path, engine="h5netcdf") as stored:
            data = stored.load()
        data.assign_attrs(changes).to_netcdf(path, engine="h5netcdf")
    return path


def test_a_json_file_of_an_unknown_kind_is_no_artifact(tmp_path: Path):
    (tmp_path / "x.json").write_text('{"kind": "stranger"}')
    assert catalogue.kind_of(tmp_path / "x.json") is None
    with pytest.raises(DataError, match=r"its kind is not one of .*evaluation"):
        catalogue.read(tmp_path / "x.json")


@pytest.mark.parametrize("content", ['{"kind": ["evaluation"]}', "[" * 100_000])
def test_odd_json_is_refused_in_words(tmp_path: Path, content: str):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json is no "):
        catalogue.read(tmp_path / "x.json")


def test_what_json_cannot_hold_is_not_saved(tmp_path: Path):
    run = example(SHIPPED["training_run"], None)
    assert isinstance(run, JsonArtifact)
    odd = run.model_copy(update={"bests": [{"val_loss": float("nan")}]})
    with pytest.raises(DataError, match="NaN or infinity"):
        odd.save(tmp_path / "run.json")
    assert not list(tmp_path.iterdir())


def test_units_are_part_of_the_digest(circuit: Any, tmp_path: Path):
    data = circuit(transfer=5).dataset(0)
    other = data.copy()
    other["spike_time_s"] = other["spike_time_s"].assign_attrs(units="ms")
    assert Characterization(other).content_digest() != Characterization(data).content_digest()
