"""The TTFS benchmark runs, its table holds its figures, and the engine it times is the exact one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from record import PAGE
from ttfs_figures import goals, measured_table

HERE = Path(__file__).parent


@pytest.mark.slow
def test_quick_run_writes_figures_table_and_plot(tmp_path: Path):
    command = [sys.executable, str(HERE / "bench_ttfs.py"), "--quick", "--out", str(tmp_path)]
    page = PAGE.read_text(encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / "ttfs.json").read_text())
    layer = results["layers"]["conv1"]
    assert layer["identical"]
    for run in layer["time"].values():
        assert run["engine"]["disagreement"] < 1e-3  # simultaneous or barely missed spikes in single precision
        assert run["engine signed"]["fired"] < 0.95 < run["engine"]["fired"]
        engine, published = run["engine"]["both"]["median_ms"], run["published"]["both"]["median_ms"]
        assert 0 < engine < published
        shown = [f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in (published, engine)]
        assert f"{shown[0]} / **{shown[1]}**" in done.stdout
    memory = layer["memory"]
    assert memory["engine"]["extra_bytes"] < memory["published"]["extra_bytes"]
    assert (tmp_path / "ttfs.png").stat().st_size > 10_000
    assert PAGE.read_text(encoding="utf-8") == page


def test_goals_are_judged():
    results = json.loads((HERE / "ttfs.json").read_text(encoding="utf-8"))
    judged = goals(results)
    assert len(judged) == 8
    assert all(holds for _, holds in judged), "the committed figures"
    results["layers"]["fc"]["ratios"]["2"]["both"] = {"published_over_engine": 149.0, "engine_over_product": 8.1}
    results["layers"]["conv2"]["memory"]["engine at the larger batch"]["extra_bytes"] = 51e6
    results["layers"]["conv1"]["identical"] = False
    results["epochs"]["10"]["epoch_s"] = 121.0
    assert [holds for _, holds in goals(results)] == [False, False, True, True, False, False, True, False]
    table = measured_table(results)
    assert "3 of 8" in table
    assert "149 times the published algorithm's speed (≥ 150)" in table
