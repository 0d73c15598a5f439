"""The dataset file: round trip, same bytes for the same data, and refusal of what is broken."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from neuronsim.artifacts import dataset as schema
from neuronsim.errors import DataError, InputError, OutputError


def test_round_trip_and_equal_bytes(circuit, tmp_path):
    data = circuit(transfer=30).dataset(0)
    first, second = (
        schema.Characterization(data).save(tmp_path / "a.nc"),
        schema.Characterization(data).save(tmp_path / "b.nc"),
    )
    assert first.read_bytes() == second.read_bytes()
    loaded = schema.Characterization.load(first).data
    np.testing.assert_array_equal(loaded["spike_time_s"], data["spike_time_s"])
    assert loaded["plan"].values.tolist() == data["plan"].values.tolist()
    assert schema.plans(loaded) == {"transfer": {}}


def test_select_keeps_the_successful_rows_of_a_plan(circuit):
    data = circuit(transfer=30, phase_noise=(5, 2)).dataset(0)
    data["status"].values[:4] = "failed"
    assert schema.select(data, "transfer").sizes["run"] == 26
    assert schema.select(data, "transfer", ok=False).sizes["run"] == 30
    assert schema.select(data, "nothing").sizes["run"] == 0


def test_parameter_names_what_there_is(circuit):
    data = circuit(transfer=5).dataset(0)
    assert schema.parameter(data, "tau") == pytest.approx(6.5e-8)
    with pytest.raises(DataError, match="no parameter 'theta'; it has"):
        schema.parameter(data, "theta")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused(circuit, tmp_path, keep):
    path = schema.Characterization(circuit(transfer=30).dataset(0)).save(tmp_path / "set.nc")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DataError, match=r"set\.nc.*neuronsim characterize"):
        schema.Characterization.load(path)


def test_what_is_no_dataset_is_refused(circuit, tmp_path):
    path = tmp_path / "text.nc"
    path.write_text("not netCDF")
    with pytest.raises(DataError, match="corrupt"):
        schema.Characterization.load(path)
    with pytest.raises(InputError, match="neuronsim characterize"):
        schema.Characterization.load(tmp_path / "absent.nc")


def test_schema_faults_are_named(circuit, tmp_path):
    data = circuit(transfer=5).dataset(0)
    faults = {
        "code is 'phase'": data.assign_attrs(code="phase"),
        "variable 'window_s' is missing": data.drop_vars("window_s"),
    }
    attribute = data.copy()
    del attribute.attrs["engine"]
    faults["attribute 'engine' is missing"] = attribute
    for words, broken in faults.items():
        with pytest.raises(DataError, match=words):
            schema.Characterization(broken).save(tmp_path / "no.nc")
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_nothing_half_written(circuit, tmp_path):
    """A limit on the file size stands in for a full disk: the write fails in the same place."""
    data = circuit(transfer=30).dataset(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            schema.Characterization(data).save(tmp_path / "d.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_changed_value_is_noticed(circuit, tmp_path):
    path = schema.Characterization(circuit(transfer=30).dataset(0)).save(tmp_path / "d.nc")
    first = schema.Characterization.load(path).data["spike_time_s"].values[0].tobytes()
    content = path.read_bytes()
    assert content.count(first) >= 1
    path.write_bytes(content.replace(first, np.float64(1e-7).tobytes(), 1))
    with pytest.raises(DataError, match="damaged"):
        schema.Characterization.load(path)
