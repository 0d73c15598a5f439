"""The datasheet's section on the circuit: schematic and pins."""

from __future__ import annotations

import json

from neuronsim.report.blocks import Picture, Table
from neuronsim.report.sections_bench import circuit


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
