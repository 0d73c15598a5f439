"""The datasheet's sections on the circuit: schematic and pins, error budget."""

from __future__ import annotations

import json

from neuronsim.report.chapters.bench import provenance
from neuronsim.report.chapters.circuit import budget_section, circuit
from neuronsim.report.page.elements import Picture, Table


def test_schematic_and_pins_are_those_of_the_manifest(make_rate):
    data = make_rate()
    assert circuit(data, "x.nc") is None
    data.attrs["pins"] = json.dumps({"in": "input current", "out": "spike output"})
    section = circuit(data, "x.nc")
    assert section is not None
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert table.rows == [("in", "input current"), ("out", "spike output")]
    data.attrs["schematic"] = json.dumps(
        {
            "blocks": {"in": [0, 0], "loop filter": [1, 0], "out": [2, 1]},
            "wires": [["in", "loop filter", "phase"], ["loop filter", "out", ""]],
            "pins": ["in", "out"],
        }
    )
    section = circuit(data, "x.nc")
    assert section is not None
    picture, _ = section.blocks
    assert isinstance(picture, Picture)
    for word in ("phase", "loop", "filter"):
        assert f">{word}<" in picture.svg


def test_error_budget_tells_what_stays_from_what_was_mended(make_rate):
    data = make_rate()
    assert budget_section(data, "x.nc") is None
    stays = {"cause": "sampling", "membrane": None, "spike_time_s": 6.1e-10, "evidence": "uniform", "mended": False}
    mended = {"cause": "lead-in", "membrane": 0.02, "spike_time_s": None, "evidence": "16 stimuli", "mended": True}
    data.attrs["error_budget"] = json.dumps([mended, stays])
    section = budget_section(data, "x.nc")
    assert section is not None
    first, second = section.blocks
    assert isinstance(first, Table)
    assert isinstance(second, Table)
    assert first.rows == [("sampling", "–", "610 ps", "uniform")]
    assert second.rows[0][:3] == ("lead-in", "2.00 %", "–")
    assert "error_budget" not in str(provenance(data, "x.nc", "").blocks[0])
