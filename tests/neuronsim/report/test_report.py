"""Datasheet and report: their numbers equal those computed from the files, and each names its file."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from neuronsim.artifacts import dataset as schema
from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.card_parts import (
    Energy,
    Frozen,
    Kernel,
    Provenance,
    Quality,
    Range,
    TimingNoise,
    WeightResponse,
)
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.training_run import TrainingRun
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import sha256_file
from neuronsim.errors import DataError, InputError, OutputError
from neuronsim.neuron.conductance_bank import ConductanceBank
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.report import discover, write_datasheet, write_report
from neuronsim.statistics.estimate import Estimate

TAU, R, WINDOW = 50e-9, 200.0, 400e-9
PAPER = {"jitter": (0.0240, 0.189, 0.397, 0.789, 0.997), "quantization": (0.957, 0.268, 0.00800, 0.00400, 0.00400)}
PARAMETERS = {
    "tau": (TAU, "s", "synaptic time constant"),
    "r": (R, "1", "loop-filter bandwidth"),
    "kphi": (0.3, "rad", "phase step per unit weight"),
    "xor_range": (np.pi / 2, "rad", "linear range of the detector"),
    "theta": (1.0, "1", "threshold"),
}


def attributes(neuron: str, code: str, plans: list[str], defaults: dict[str, float]) -> dict[str, Any]:
    return {
        "neuron": neuron,
        "code": code,
        "engine": "ngspice-shared",
        "engine_version": "39",
        "netlist_sha256": "a1" * 32,
        "seed": 7,
        "plans": json.dumps({name: {"trials": 30, "nested": {"x": [1, 2]}} for name in plans}),
        "defaults": json.dumps(defaults),
        "versions": json.dumps({"neuronsim": "0.1.0", "numpy": "2"}),
    }


@dataclass
class Bench:
    """Collects the rows of a synthetic circuit: the exact second-order loop with a relative numerical error of 1e-6."""

    generator: np.random.Generator
    rows: list[dict[str, Any]] = field(default_factory=list)

    def run(self, plan: str, t0, w0, *, t=None, w=None, saturated=False, ramp=0.0, gain=1.0, sigma=0.0, **more) -> None:
        t, w = t0 if t is None else t, w0 if w is None else w
        limit = np.pi / 0.6 if saturated else None
        spike = first_crossing(t, w, xor_limit=limit, tau=TAU, second_pole_ratio=R, ramp=ramp, gain=gain)
        spike = (
            float(spike) * (1 + 1e-6 * self.generator.standard_normal())
            + sigma * TAU * self.generator.standard_normal()
        )
        spike = spike if spike <= WINDOW else np.inf
        self.rows.append({"plan": plan, "t0": t0, "w0": w0, "t": t, "w": w, "spike": spike, **more})

    def dataset(self) -> xr.Dataset:
        rows = self.rows
        width = max(len(row["t"]) for row in rows)

        def padded(key: str, fill: float) -> tuple:
            out = np.full((len(rows), width), fill)
            for index, row in enumerate(rows):
                out[index, : len(row[key])] = row[key]
            return ("run", "input"), out

        def column(key: str, default: Any, kind: type) -> tuple:
            return "run", np.array([row.get(key, default) for row in rows], dtype=kind)

        texts = {
            key: column(key, default, str)
            for key, default in (("plan", ""), ("status", "ok"), ("reason", ""), ("options", ""))
        }
        counts = {"trial": 0, "chip": -1, "attempts": 1, "noise_seed": -1}
        data: dict[str, Any] = texts | {key: column(key, default, int) for key, default in counts.items()}
        data |= {key: column(key, np.nan, float) for key in ("level", "energy_j")}
        data |= {"window_s": ("run", np.full(len(rows), WINDOW)), "spike_time_s": column("spike", np.nan, float)}
        data |= {"input_time_s": padded("t", np.inf), "weight": padded("w", 0.0)}
        data |= {"nominal_time_s": padded("t0", np.inf), "nominal_weight": padded("w0", 0.0)}
        for name, (value, unit, meaning) in PARAMETERS.items():
            data[f"parameter_{name}"] = ("run", np.full(len(rows), value), {"units": unit, "long_name": meaning})
        time = np.linspace(0, 200e-9, 50)
        trace = ("trace", "sample")
        data |= {"waveform_time_s": (trace, time[None]), "trace_run": ("trace", np.array([0]))}
        data |= {"waveform_mem_v": (trace, time[None] / 1e-7), "waveform_thr_v": (trace, np.ones((1, 50)))}
        data |= {
            "waveform_pd_v": (
                trace,
                np.exp(-time / TAU)[None],
                {"units": "rad", "long_name": "phase detector <output>"},
            )
        }
        plans = list(dict.fromkeys(row["plan"] for row in rows))
        found = attributes("pll_nlif_averaged", "ttfs", plans, {name: value[0] for name, value in PARAMETERS.items()})
        return schema.Characterization.check(xr.Dataset(data, attrs=found))


def ttfs_dataset(*, floor: bool = True, trials: int = 30) -> xr.Dataset:
    generator = np.random.default_rng(1)
    bench = Bench(generator)
    for trial in range(trials):
        count = generator.integers(2, 6)
        bench.run("transfer", TAU * generator.uniform(0, 1.5, count), generator.uniform(-0.5, 1.2, count), trial=trial)
    for trial in range(trials):
        t, w = TAU * generator.uniform(0.2, 0.9, 2), generator.uniform(0.55, 1.0, 2)
        for plan in ("jitter", "quantization") if floor else ():
            bench.run(plan, t, w, trial=trial, level=0.0)
        for level in (0.01, 0.03, 0.05, 0.07, 0.09):
            bench.run("jitter", t, w, t=t * (1 + level * generator.uniform(-1, 1, 2)), trial=trial, level=level)
        for bits in (4, 8, 16, 24, 32):
            bench.run("quantization", t, w, w=ConductanceBank(bits=bits).quantize(w), trial=trial, level=float(bits))
    t, w = TAU * np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])
    for level in (2.0, 5.0, 7.0):
        bench.run("saturation", t, w * level / w.sum(), saturated=True, level=level)
    for level in (0.0, 0.02):
        bench.run("ramp", t, w, ramp=level, level=level)
    bench.run("phase_noise", t, w, level=0.0)
    for seed in range(20):
        bench.run("phase_noise", t, w, sigma=0.01, level=1.0, noise_seed=seed)
    bench.run("mismatch", t, w)
    for chip, error in enumerate((0.01, -0.02, 0.005)):
        bench.run("mismatch", t, w, gain=1 + error, chip=chip)
    bench.rows[5] |= {"status": "failed", "reason": "timeout after 10 s", "spike": np.nan, "attempts": 2}
    bench.rows[trials + 3] |= {"status": "failed", "reason": "no <convergence>", "spike": np.nan}
    bench.rows[2] |= {"attempts": 2, "options": "method=gear"}
    return bench.dataset()


def rate_dataset() -> xr.Dataset:
    current = np.array([1e-6, 2e-6, 5e-6, 1e-5])
    rate = current / 1e-12
    spikes = np.arange(1, 6)[None] / rate[:, None]
    n = current.size
    data: dict[str, Any] = {name: ("run", np.array([text] * n)) for name, text in
                            (("plan", "fi"), ("status", "ok"), ("reason", ""), ("options", ""))}  # fmt: skip
    data |= {name: ("run", np.full(n, value)) for name, value in (("chip", -1), ("attempts", 1), ("noise_seed", -1))}
    data |= {"trial": ("run", np.arange(n)), "level": ("run", current), "window_s": ("run", np.full(n, 1e-5))}
    data |= {"energy_j": ("run", np.full(n, 2.5e-12)), "input_current_a": ("run", current), "rate_hz": ("run", rate)}
    data |= {"spike_times_s": (("run", "spike"), spikes)}
    for name, value, unit in (("cmem", 1e-12, "F"), ("vth", 1.0, "V")):
        data[f"parameter_{name}"] = ("run", np.full(n, value), {"units": unit})
    return schema.Characterization.check(
        xr.Dataset(data, attrs=attributes("if_behavioral", "rate", ["fi"], {"cmem": 1e-12, "vth": 1.0}))
    )


def about(value: float, rel: float = 0.02) -> Estimate:
    return Estimate(value=value, low=value - abs(value) * rel, high=value + abs(value) * rel)


def common(neuron: str, sha: str) -> dict[str, Any]:
    origin = Provenance(dataset_digest=sha, netlist_sha256="a1" * 32, engine="ngspice-shared", engine_version="39",
                        plans={"transfer": {"trials": 30}}, parameters={"tau": TAU}, seed=7,
                        versions={"neuronsim": "0.1.0"})  # fmt: skip
    quality = Quality(n_fit=20, n_held_out=10, median_error=2.13e-5, p95_error=8.7e-5, spike_agreement=1.0)
    return {
        "neuron": neuron,
        "not_fitted": {"jitter": "all runs are noise-free"},
        "quality": quality,
        "provenance": origin,
    }


def ttfs_card(sha: str = "0" * 64) -> TTFSCard:
    return TTFSCard(
        **common("pll_nlif_averaged", sha),
        kernel=Kernel(tau_s=about(TAU), second_pole_ratio=None, delay_s=Estimate(value=1e-13, low=-1e-12, high=1e-12),
                      ramp_per_tau=Estimate(value=0.0, low=-1e-4, high=1e-4), xor_limit_weight=about(5.2)),
        weights=WeightResponse(gain=about(1.0), mismatch_sigma=Estimate.exact(0.0123)),
        timing_noise=TimingNoise(sigma_v=about(0.01), diffusion_v=about(0.003), floor_s=about(2e-14)),
        frozen=Frozen(gain_sigma=about(0.02), ramp_sigma_per_tau=about(0.01)),
        missing_probability=Estimate(value=0.0, low=0.0, high=0.01), energy=None, valid_inputs=Range(low=2, high=5),
        valid_weight=Range(low=-0.5, high=1.2), valid_time_tau=Range(low=0, high=1.5),
    )  # fmt: skip


def rate_card(sha: str = "0" * 64) -> RateCard:
    return RateCard(
        **common("if_behavioral", sha), charge_per_spike_c=about(1.25e-12), rheobase_a=Estimate.exact(0.0),
        refractory_s=Estimate.exact(0.0), isi_jitter=Estimate.exact(0.0), threshold_mismatch=about(0.05),
        energy=Energy(per_spike_j=about(2.6e-12), static_w=about(1e-9)), valid_current_a=Range(low=1e-6, high=1e-5),
    )  # fmt: skip


def condition(name: str, accuracy: float, chips: list[float], **more: Any) -> Condition:
    values = {"bits": 4, "noise_scale": 1.0, "frozen": bool(chips), "silent_outputs": 0.002, "sparsity": [0.42, 0.61],
              "energy_per_inference_j": 2.05e-7, "out_of_range": 0.0}  # fmt: skip
    return Condition(name=name, accuracy=accuracy, low=accuracy - 0.004, high=accuracy + 0.003,
                     worst=min(chips, default=accuracy),
                     per_chip=chips, **(values | more))  # fmt: skip


def evaluation(card_digest: str | None, checkpoint_sha256: str, **more: Any) -> Evaluation:
    chips = list(0.95 + 0.001 * np.arange(20))
    conditions = [condition("clean", 0.9712, [], bits=None), condition("quantized", 0.9655, []),
                  condition("card", float(np.mean(chips)), chips)]  # fmt: skip
    values = {"experiment": "mnist-5k", "checkpoint": "run/model.ckpt", "card": "card.json", "card_edited": False,
              "data": "mnist-5k", "n_images": 30, "seed": 0, "conditions": conditions, "class_times_tau": [1.0, 2.0, 2.5],
              "confusion": [[9, 1, 0], [0, 10, 0], [2, 0, 8]]}  # fmt: skip
    return Evaluation(card_digest=card_digest, checkpoint_sha256=checkpoint_sha256, **(values | more))


def write_run(folder: Path, card_digest: str) -> Path:
    folder.mkdir(parents=True)
    with (folder / "metrics.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["stage", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds"])
        for stage in ("float", "4-bit"):
            writer.writerows([stage, n, 1 / n, 1 - 0.3 / n, 1.1 / n, 1 - 0.4 / n, 1e-3, 2.5] for n in (1, 2, 3))
    TrainingRun(
        experiment="mnist-5k",
        experiment_digest="ab" * 32,
        seed=0,
        card_digest=card_digest,
        start=None,
        start_sha256=None,
        data="mnist-5k",
        data_source="a test",
        data_sha256="cd" * 32,
        versions={},
    ).save(folder / "run.json")
    (folder / "model.ckpt").write_bytes(b"weights")
    return folder


class Tables(HTMLParser):
    """The text of every table (rows of cells) by its caption, every id, and the visible text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.ids: list[str] = []
        self.depth: list[str] = []
        self.caption, self.cell = "", ""
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.ids += [value for name, value in attrs if name == "id"]
        self.depth.append(tag)
        if tag in ("figcaption", "summary"):
            self.caption = ""
        elif tag == "table":
            self.tables.append((self.caption, []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag: str) -> None:
        while self.depth and self.depth.pop() != tag:
            pass
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append(self.cell)

    def handle_data(self, data: str) -> None:
        if "style" in self.depth:
            return
        self.text += data
        self.cell += data
        if ("figcaption" in self.depth or "summary" in self.depth) and "span" not in self.depth:
            self.caption += data

    def table(self, start: str) -> list[list[str]]:
        return next(rows for caption, rows in self.tables if caption.startswith(start))


def number(cell: str) -> float:
    """A cell as the first number in it."""
    mantissa, power = re.match(r"(-?[\d.]+)(?:×10(\S+))?", cell).groups()  # type: ignore[union-attr]
    return float(mantissa) * 10.0 ** int((power or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Datasets, cards, a run and an evaluation, made from each other."""
    base = tmp_path_factory.mktemp("report")
    pll, fi = (
        schema.Characterization(ttfs_dataset()).save(base / "data" / "pll.nc"),
        schema.Characterization(rate_dataset()).save(base / "data" / "fi.nc"),
    )
    card = ttfs_card(schema.Characterization.load(pll).content_digest()).save(base / "card.json")
    rate_card(schema.Characterization.load(fi).content_digest()).save(base / "rate-card.json")
    run = write_run(base / "run", ModelCard.load(card).digest)
    evaluation(ModelCard.load(card).digest, sha256_file(run / "model.ckpt")).save(base / "evaluation.json")
    (base / "other.json").write_text('{"neither": "card nor evaluation"}')
    return base


@pytest.fixture(scope="module")
def sheet(folder: Path) -> str:
    return write_datasheet(
        folder / "data" / "pll.nc", folder / "pll.html", card=ModelCard.load(folder / "card.json")
    ).read_text()


def report(base: Path, out: Path) -> str:
    return write_report(out, discover(base)).read_text()


@pytest.fixture(scope="module")
def bound(folder: Path) -> str:
    return report(folder, folder / "report.html")


def test_pages_load_nothing_from_outside_and_have_unique_anchors(sheet: str, bound: str) -> None:
    for page in (sheet, bound):
        assert "http" not in page
        assert not re.search(r"<(script|link|img|iframe|object)\b|@import|src=", page)
        used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page))
        ids = Tables(page).ids
        assert len(ids) == len(set(ids))
        assert {first or second for first, second in used} <= set(ids)


def test_text_from_files_is_escaped(sheet: str) -> None:
    assert "no &lt;convergence&gt;" in sheet
    assert "<convergence>" not in sheet
    assert "phase detector &lt;output&gt;" in sheet


def test_conditions_name_each_parameter_with_its_unit(sheet: str) -> None:
    rows = Tables(sheet).table("Netlist parameters")
    assert ["tau", "synaptic time constant", "50 ns", "–"] in rows
    assert ["kphi", "phase step per unit weight", "0.3 rad", "–"] in rows


def test_every_failed_row_is_listed_with_its_reason(sheet: str) -> None:
    tables = Tables(sheet)
    listed = {row[0]: row[1:] for row in tables.table("Failed runs, all 2")[1:]}
    assert listed["5"][0] == "transfer"
    assert listed["5"][-2] == "timeout after 10 s"
    assert listed["33"][-2] == "no <convergence>"
    transfer = tables.table("Runs per plan")[1]
    assert transfer[:5] == ["transfer", "30", "29", "1", "1"]
    assert tables.table("Failed runs by reason")[1:] == [["no <convergence>", "1"], ["timeout after 10 s", "1"]]


def test_transfer_errors_equal_those_computed_from_equation_4(sheet: str) -> None:
    rows = schema.select(ttfs_dataset(), "transfer")
    errors, silent = [], 0
    for t, w, spike in zip(
        rows["input_time_s"].values / TAU, rows["weight"].values, rows["spike_time_s"].values, strict=True
    ):
        if np.isinf(spike):
            silent += 1
            continue
        causal = t < spike / TAU
        z = np.sum(w[causal] * np.exp(t[causal])) / (np.sum(w[causal]) - 1)
        errors.append(abs(spike / TAU - np.log(z)) / np.log(z))
    tables = Tables(sheet)
    printed = tables.table("|Relative error| of the measured spike time")[1]
    assert printed[1] == str(len(errors))
    found = [number(cell) / 100 for cell in printed[2:]]
    assert found == pytest.approx(
        [np.mean(errors), np.median(errors), np.percentile(errors, 95), np.max(errors)], rel=6e-3
    )
    agreement = tables.table("Spike or silence")
    assert agreement[1][1:] == [str(len(errors)), "0"]
    assert agreement[2][1:] == ["0", str(silent)]


@pytest.mark.parametrize("plan", ["jitter", "quantization"])
def test_table_3_equals_the_paired_errors_beside_the_paper(sheet: str, plan: str) -> None:
    rows = schema.select(ttfs_dataset(), plan)
    level, trial, spike = (rows[name].values for name in ("level", "trial", "spike_time_s"))
    desired = {int(n): s for n, s in zip(trial[level == 0], spike[level == 0], strict=True)}
    printed = Tables(sheet).table(f"Output jitter against {'input jitter' if plan == 'jitter' else 'weight'}")
    for row, at, paper in zip(printed[1:], np.unique(level[level > 0]), PAPER[plan], strict=True):
        here = (level == at) & np.isin(trial, list(desired))
        errors = np.array(
            [abs(s - desired[int(n)]) / desired[int(n)] for n, s in zip(trial[here], spike[here], strict=True)]
        )
        assert row[0] == (f"{100 * at:g} %" if plan == "jitter" else f"{at:g} bit")
        assert number(row[2]) / 100 == pytest.approx(errors.mean(), rel=0.02)
        assert number(row[6]) == paper
        assert float(row[7]) == pytest.approx(100 * np.mean(errors <= paper / 100), abs=4)


def test_table_3_falls_back_to_equation_4_without_unperturbed_runs(tmp_path: Path) -> None:
    data = ttfs_dataset(floor=False).drop_dims("trace")
    data = data.isel(run=np.flatnonzero(data["plan"].values == "quantization"))
    tables = Tables(write_datasheet(data, tmp_path / "x.html").read_text())
    assert "the dataset has no unperturbed runs" in tables.text
    assert "numerical floor of this deck is unknown" in tables.text
    rows = schema.select(data, "quantization")
    fine = rows["level"].values == 32
    t, w, spike = (
        rows["nominal_time_s"].values[fine, :2] / TAU,
        rows["nominal_weight"].values[fine, :2],
        rows["spike_time_s"].values[fine],
    )
    theory = TAU * np.log(np.sum(w * np.exp(t), axis=1) / (w.sum(axis=1) - 1))
    expected = 100 * np.mean(np.abs(spike - theory) / theory)
    assert number(tables.table("Output jitter against weight")[5][2]) == pytest.approx(expected, rel=6e-3)


def test_the_floor_of_the_deck_is_stated_against_equation_4_and_the_exact_loop(sheet: str) -> None:
    text = Tables(sheet).text
    stated = re.search(
        r"30 unperturbed runs differ from equation 4 by (\S+) % in the mean .*? and by (\S+) % in the mean", text
    )
    assert stated
    ideal, numerical = number(stated[1]), number(stated[2])
    assert 2e-4 < ideal < 5e-3  # r = 200
    assert numerical == pytest.approx(100e-6 * np.sqrt(2 / np.pi), rel=0.4)  # the error put in, 1e-6


def test_sweeps_are_compared_with_their_theory(sheet: str) -> None:
    tables = Tables(sheet)
    saturated = tables.table("|Relative error| against equation 4 by peak")
    assert [row[0] for row in saturated[1:]] == ["2", "5", "7"]
    assert number(saturated[3][2]) > 1 > number(saturated[2][2])
    assert all(number(row[5]) < 1e-3 for row in saturated[1:])
    assert "5.236 unit weights" in tables.text
    ramp = tables.table("Spike-time shift by ramp")
    assert number(ramp[2][2]) > 0.5
    assert number(ramp[2][4]) < 0.02
    noise = tables.table("Spike-time spread")
    assert number(noise[1][3]) == pytest.approx(500, rel=0.4)  # 0.01 tau in ps
    rows = schema.select(ttfs_dataset(), "mismatch")["spike_time_s"].values
    shifts = rows[1:] / rows[0] - 1
    assert number(tables.table("Chip-to-chip")[1][2]) == pytest.approx(100 * shifts.std(ddof=1), rel=6e-3)


def test_plans_that_were_not_run_have_no_section(tmp_path: Path) -> None:
    data = ttfs_dataset()
    only = data.isel(run=np.flatnonzero(data["plan"].values == "transfer")).drop_dims("trace")
    tables = Tables(write_datasheet(only, tmp_path / "x.html").read_text())
    assert {"conditions", "status", "transfer", "provenance"} <= set(tables.ids)
    assert not {"jitter", "quantization", "saturation", "ramp", "mismatch", "waveforms", "card"} & set(tables.ids)


def test_a_dataset_of_failures_still_has_its_datasheet(tmp_path: Path) -> None:
    data = ttfs_dataset().drop_dims("trace")
    data["status"][:] = "failed"
    data["reason"] = ("run", np.full(data.sizes["run"], "license of the simulator expired"))
    data["spike_time_s"][:] = np.nan
    tables = Tables(write_datasheet(data, tmp_path / "x.html").read_text())
    assert len(tables.table(f"Failed runs, all {data.sizes['run']}")) == data.sizes["run"] + 1


def test_the_f_i_table_compares_with_netlist_and_card(folder: Path) -> None:
    page = write_datasheet(
        folder / "data" / "fi.nc", folder / "fi.html", card=ModelCard.load(folder / "rate-card.json")
    ).read_text()
    rows = Tables(page).table("Firing rate from")
    assert rows[1][:4] == ["1 µA", "1", "1 MHz", "5"]
    assert rows[1][5] == "1 MHz"  # I / (cmem vth)
    assert rows[1][7] == "800 kHz"  # I / 1.25 pC
    assert number(rows[1][8]) == pytest.approx(25)


def test_the_card_is_shown_with_intervals_and_what_was_not_fitted(sheet: str) -> None:
    tables = Tables(sheet)
    rows = {row[1]: row[2:4] for row in tables.table("Calibrated values")[1:]}
    assert rows["tau"] == ["50 ns", "49 … 51 ns"]
    assert rows["second pole ratio"][0] == "not fitted"
    assert rows["mismatch sigma"] == ["1.230 %", "exact"]
    assert rows["diffusion v"] == ["0.003 threshold/√τ", "0.00294 … 0.00306 threshold/√τ"]
    assert tables.table("Not fitted")[1] == ["jitter", "all runs are noise-free"]
    assert tables.table("Prediction of runs")[1][2:4] == ["0.00213 %", "0.00870 %"]


def test_plans_are_shown_as_toml(sheet: str) -> None:
    assert "[jitter]\ntrials = 30\n\n[jitter.nested]\nx = [1, 2]" in sheet


def test_the_headline_holds_accuracies_error_and_runs(folder: Path, bound: str) -> None:
    tiles = re.findall(
        r'class="label">([^<]*)</span><span class="value">([^<]*)</span><span class="detail">([^<]*)', bound
    )
    shown = {label: (value, detail) for label, value, detail in tiles}
    assert shown["accuracy, clean"][0] == "97.12 %"
    assert shown["accuracy, 4-bit weights"][0] == "96.55 %"
    assert shown["accuracy under the card"] == ("95.95 %", "95 % interval 95.55 … 96.25 %; 20 chips, worst 95.00 %")
    assert shown["held-out error of the card (pll_nlif_averaged)"][0] == "0.00213 %"
    assert shown["energy per spike (if_behavioral)"][0] == "2.6 pJ"
    runs = schema.Characterization.load(folder / "data" / "pll.nc").data.sizes["run"] + 4
    assert shown["SPICE runs"] == (str(runs), "if_behavioral, pll_nlif_averaged; 2 failed")


def test_every_file_is_named_with_its_digest(folder: Path, bound: str) -> None:
    files = (
        "data/pll.nc",
        "data/fi.nc",
        "card.json",
        "rate-card.json",
        "run/run.json",
        "run/metrics.csv",
        "evaluation.json",
    )
    rows = {row[0]: row[2] for row in Tables(bound).table("Files of this report")[1:]}
    assert set(rows) == set(files)
    for name in files:
        digest = sha256_file(folder / name)
        assert rows[name] == digest
        assert f"{name} (sha256 {digest[:12]})" in bound


def test_each_picture_and_result_table_names_its_source(bound: str) -> None:
    for part in re.findall(r"<figure.*?</figure>", bound, flags=re.DOTALL):
        caption = re.search(r"<figcaption>(.*?)</figcaption>", part, flags=re.DOTALL)
        if caption and not caption[1].startswith(("What was made", "Files of this report")):
            assert "source: " in part


def test_the_network_tables_equal_the_evaluation(bound: str) -> None:
    tables = Tables(bound)
    card = tables.table("Accuracy. Noise")[3]
    assert card[0] == "card"
    assert card[4:8] == ["20", "95.95 %", "95.55 … 96.25 %", "95.00 %"]
    assert tables.table("Energy per inference")[3] == ["card", "205 nJ", "42.0 %", "61.0 %"]
    confusion = tables.table("Confusion matrix of the clean network as deployed: 27 of 30 right")
    assert confusion[3] == ["2", "2", "·", "8", "80.00 %"]
    assert tables.table("Stages of the training")[1][:2] == ["float", "3"]
    assert tables.table("Stages of the training")[2][5] == "86.67 % (epoch 3)"


def test_the_chain_of_files_is_checked_by_digest(folder: Path, bound: str, tmp_path: Path) -> None:
    rows = Tables(bound).table("What was made from what")[1:]
    assert ["card.json", "data/pll.nc", "same digest"] in rows
    assert ["run/run.json", "card.json", "same digest"] in rows
    assert ["evaluation.json", "card.json", "same digest"] in rows
    assert ["evaluation.json", "run/model.ckpt", "same digest"] in rows
    assert "Some files here were not made from the others" not in bound
    stranger = evaluation("f" * 64, "e" * 64, card_edited=True).save(tmp_path / "evaluation.json")
    page = write_report(tmp_path / "x.html", [folder / "card.json", stranger]).read_text()
    assert "Some files here were not made from the others" in page
    assert "edited by hand" in page


def test_an_edited_card_is_announced(tmp_path: Path) -> None:
    path = ttfs_card().scaled_noise(30).save(tmp_path / "card.json")
    assert "edited by hand" in write_report(tmp_path / "x.html", [path]).read_text()


def test_equal_input_gives_equal_bytes(folder: Path, tmp_path: Path) -> None:
    data = ttfs_dataset()
    path = schema.Characterization(
        data.isel(run=np.flatnonzero(data["plan"].values == "jitter")).drop_dims("trace")
    ).save(tmp_path / "jitter.nc")
    pages = [
        write_report(
            tmp_path / "report.html",
            [path, folder / "data" / "fi.nc", folder / "card.json", folder / "run", folder / "evaluation.json"],
        ).read_bytes()
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_a_datasheet_is_drawn_again_only_for_other_input(folder: Path, tmp_path: Path) -> None:
    path = folder / "data" / "fi.nc"
    out = write_datasheet(path, tmp_path / "fi.html")
    first = out.read_text()
    out.write_text(first.replace("</body>", "<!-- as it was --></body>"))
    assert "as it was" in write_datasheet(path, out).read_text()
    with_card = write_datasheet(path, out, card=ModelCard.load(folder / "rate-card.json")).read_text()
    assert "as it was" not in with_card
    assert write_datasheet(path, out).read_text() == first


def test_discover_finds_parts_by_content(folder: Path) -> None:
    names = [path.relative_to(folder).as_posix() for path in discover(folder)]
    assert names == ["card.json", "data/fi.nc", "data/pll.nc", "evaluation.json", "rate-card.json", "run/run.json"]


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to report"):
        write_report(tmp_path / "x.html", [])
    with pytest.raises(InputError, match="nothing to report in"):
        discover(tmp_path)
    with pytest.raises(InputError, match="no folder at"):
        discover(tmp_path / "missing")
    with pytest.raises(InputError, match="no dataset at"):
        write_datasheet(tmp_path / "missing.nc", tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_corrupt_files_are_named_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.nc"
    cut.write_bytes((folder / "data" / "pll.nc").read_bytes()[:3000])
    for write in (
        lambda: write_datasheet(cut, tmp_path / "x.html"),
        lambda: write_report(tmp_path / "x.html", [cut]),
    ):
        with pytest.raises(DataError, match=r"cut\.nc"):
            write()
    broken = tmp_path / "evaluation.json"
    broken.write_text((folder / "evaluation.json").read_text()[:200])
    with pytest.raises(DataError, match=r"evaluation\.json"):
        discover(tmp_path)
    with pytest.raises(DataError, match=r"evaluation\.json"):
        write_report(tmp_path / "x.html", [broken])
    assert not (tmp_path / "x.html").exists()


def test_a_card_of_another_neuron_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="if_behavioral"):
        write_datasheet(folder / "data" / "pll.nc", tmp_path / "x.html", card=ModelCard.load(folder / "rate-card.json"))


def test_an_unwritable_place_is_an_output_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_datasheet(folder / "data" / "fi.nc", tmp_path / "file" / "x.html")
