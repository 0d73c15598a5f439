"""A new kind of artifact is one class and one chapter: nothing else in the house knows of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from neuronsim.artifacts.base import KINDS, JsonArtifact
from neuronsim.report import contents, discover, write_report
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Section


def test_a_new_kind_and_its_chapter_are_in_the_report(tmp_path, monkeypatch):
    class LeakageMap(JsonArtifact):
        """Leakage of every neuron of a chip."""

        noun: ClassVar[str] = "leakage map"
        made_by: ClassVar[str] = "neuronsim leakage CHIP"
        kind: Literal["leakage_map"] = "leakage_map"
        schema_version: Literal[1] = 1
        currents_a: list[float]

    def leakage(item, items):
        columns = [Column("current", lambda current: current, "{:.1e} A".format)]
        rows = table("Leakage, neuron by neuron.", columns, item.artifact.currents_a, source=item.source)
        return [Section(title="Leakage", anchor=item.anchor, blocks=[rows])]

    monkeypatch.setitem(contents.CHAPTERS, "leakage_map", leakage)
    LeakageMap(currents_a=[1e-12, 2e-12]).save(tmp_path / "map.json")
    try:
        page = write_report(tmp_path / "report.html", discover(tmp_path)).read_text()
    finally:
        del KINDS["leakage_map"]
    assert "Leakage, neuron by neuron." in page
    assert "2.0e-12 A" in page
    assert "leakage map" in page
