"""The table and plot of docs/measured.md on the trained networks, from training.json."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from record import picture

from neuronsim.artifacts.robustness_study import Gain, Point, Study
from neuronsim.errors import InputError
from neuronsim.report.study_files import study_report
from neuronsim.statistics.proportions import wilson
from neuronsim.statistics.student import over_draws
from neuronsim.training import load_experiment

PLOT = Path(__file__).parent / "training.png"
STALE = " †"
#: what is to be said above every table of networks on the chips of a card
ABOUT_THE_CARD = (
    "On a card, not yet on the circuit: the card leaves out wrong spikes after deep inhibition, the noise of VCO1 and VCO2, "
    "the load of idle synapses, and spikes that noise fires early (top of this page)."
)
Row = tuple[str, str]


class Shown:
    """One part of training.json: its results, and which of its runs are of experiments that have changed since."""

    def __init__(self, part: dict[str, Any]) -> None:
        self.part, self.results = part, part["results"]
        self.changed = {name for name in part["runs"] if self._changed(name)}

    def _changed(self, name: str) -> bool:
        """True when the run's experiment, or that of the run it started from, is no longer today's."""
        run = self.part["runs"].get(name)
        if run is None:
            return False
        try:
            today = load_experiment(run["experiment"]).model_copy(update={"seed": run["seed"]}).digest()
        except InputError:  # no longer shipped
            today = None
        return today != run["digest"] or (run["start"] is not None and self._changed(run["start"]))

    def mark(self, *runs: str) -> str:
        """The mark of a row that shows these runs."""
        return STALE if self.changed & set(runs) else ""


def measured_table(results: dict[str, Any]) -> str:
    """The figures as docs/measured.md has them."""
    parts = {name: Shown(part) for name, part in results.items()}
    rows = [row for name in ("mnist", "quantized") if name in parts for row in _seeds(name, parts[name])]
    if "fashion" in parts:
        for run in parts["fashion"].results.values():
            value, n = run["test_accuracy"]["32"], run["n_images"]
            rows.append((f"Fashion-MNIST, same recipe{parts['fashion'].mark('fashion_0')}", _wilson(value, n)))
    if "circuit" in parts:
        rows += _circuit(parts["circuit"])
    on_card = _detector(parts["detector"]) if "detector" in parts else []
    on_card += [row for name in ("noise", "transistor") if name in parts for row in _chips(parts[name])]
    lines = _table("network", rows)
    if on_card:
        lines += [ABOUT_THE_CARD, "", *_table("network on a card", on_card)]
    if "robustness" in parts:
        lines += _robustness(parts["robustness"])
    if any(part.changed for part in parts.values()):
        lines += [f"{STALE.strip()} The experiment has changed since: figures of its former settings.", ""]
    if "mnist" in parts:
        lines += [picture("validation accuracy by epoch", PLOT.name), ""]
    return "\n".join([*lines, *_provenance(results)])


def _table(header: str, rows: list[Row]) -> list[str]:
    if not rows:
        return []
    return [f"| {header} | test accuracy |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]


def _wilson(accuracy: float, n: int) -> str:
    low, high = wilson(accuracy, n)
    return f"{accuracy:.2%} [{low:.2%}, {high:.2%}], Wilson over {n} images"


def _seeds(name: str, part: Shown) -> list[Row]:
    """Mean over the seeds at each width, and the training time of full precision."""
    runs = part.results
    prefix = {"mnist": "mnist", "quantized": "qat"}[name]
    mark = part.mark(*(f"{prefix}_{seed}" for seed in runs))
    rows = []
    for bits in ("32",) if name == "mnist" else ("8", "4", "2"):
        values = [run["test_accuracy"][bits] for run in runs.values()]
        mean, low, high = over_draws(values)
        if low is None or high is None:
            (run,) = runs.values()
            rows.append((f"MNIST, {bits} bit, one seed{mark}", _wilson(values[0], run["n_images"])))
            continue
        spread = " / ".join(f"{value:.2%}" for value in values)
        text = f"**{mean:.2%}** [{low:.2%}, {high:.2%}], t over the seeds ({spread})"
        rows.append((f"MNIST, {bits} bit, mean of {len(runs)} seeds{mark}", text))
    if name == "mnist":
        minutes = [run["seconds"] / 60 for run in runs.values()]
        text = f"{statistics.mean(minutes):.0f} min"
        text += f", longest {max(minutes):.0f} min" if len(minutes) > 1 else ""
        rows.append((f"training time of one seed, full precision{mark}", text))
    return rows


def _circuit(part: Shown) -> list[Row]:
    rows = []
    about_row = {}
    for row in part.results["rows"]:
        through = row["run"].startswith("through")
        trained = "trained through it" if through else "trained on exact neurons"
        name = f"on exact neurons, {trained}" if row["on"] is None else f"on the circuit ({row['on']}), {trained}"
        name = f"MNIST, fine-tuned {row['epochs']} epochs: {name}"
        about_row[row["run"], row["on"]] = row
        rows.append((name + part.mark(row["run"]), _wilson(row["accuracy"], row["n_images"])))
    for found in part.results["differences"]:
        first, second = (about_row[found[which], found["on"]] for which in ("run", "reference"))
        name = f"difference on the circuit ({found['on']}): trained through it ({first['epochs']} epochs) minus exact neurons "
        name += f"({second['epochs']} epochs)"
        text = f"{_points(found['mean'], found['low'], found['high'])}, paired over {first['n_images']} images"
        rows.append((name + part.mark(found["run"], found["reference"]), text))
    return rows


def _detector(part: Shown) -> list[Row]:
    rows = []
    for row in part.results:
        name = f"{row['on']}, nominal, {row['kphi_rad']:g} rad per unit weight: {row['run']}"
        text = _wilson(row["accuracy"], row["n_images"])
        text += f"; {row['beyond_range']:.1%} of the neurons leave the detector's linear range"
        rows.append((name + part.mark(row["run"]), text))
    return rows


def _points(mean: float, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f" [{100 * low:+.2f}, {100 * high:+.2f}]"
    return f"{100 * mean:+.2f} points{ends}"


def _chips(part: Shown) -> list[Row]:
    """Every condition of a study on chips, and what training under the noise bought."""
    study = Study.model_validate(part.results)
    rows = []
    for point in study.points:
        name = f"{study.card}: {point.network}, {point.series}, {study.n_images} images"
        rows.append((name + part.mark(_run(point.network)), _point(study, point)))
    for gain in study.gains:
        name = f"{study.card}: {gain.network} minus {gain.reference}, {gain.condition}, {study.n_images} images"
        rows.append((name + part.mark(_run(gain.network), _run(gain.reference)), _gain(gain)))
    return rows


def _point(study: Study, point: Point) -> str:
    value = f"{point.accuracy:.2%}"
    if point.low is not None and point.high is not None:
        value += f" [{point.low:.2%}, {point.high:.2%}]"
    if point.interval == "images":
        return f"{value}, Wilson over the images"
    repeats = f"{len(point.draws)} {study.repeats(point)}"
    return f"{value}, over {repeats} and the images; worst {point.worst:.2%}"


def _gain(gain: Gain) -> str:
    same = "the same" if gain.paired else "different"
    return f"{_points(gain.mean, gain.low, gain.high)}, {same} {gain.chips} chips and the images"


def _run(network: str) -> str:
    """The run of a network's label: "name (4 bit)" -> "name"."""
    return network.partition(" (")[0]


def _robustness(part: Shown) -> list[str]:
    """The main table of every study: what was run, then the figures."""
    lines = []
    for found in part.results.values():
        study = Study.model_validate(found)
        mark = part.mark(*(_run(network.label) for network in study.networks))
        report = study_report(study)
        lines += [report.about + mark, "", report.tables[0].markdown(), ""]
    return lines


def _provenance(results: dict[str, Any]) -> list[str]:
    """One line for each command, date and machine, with the parts that it made."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for name, part in results.items():
        made.setdefault((part["date"], part["machine"], part["command"]), []).append(name)
    return [
        f"- {', '.join(names)}: {date}, {machine}; `{command}`, tests/benchmarks/training.json"
        for (date, machine, command), names in made.items()
    ]


def plot(results: dict[str, Any], path: Path) -> None:
    """Validation accuracy per epoch of the MNIST runs and, behind them, of their quantization, stages shaded."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if "mnist" not in results:
        return
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    stages: list[str] = []
    quantized = results["quantized"]["results"] if "quantized" in results else {}
    for seed, run in results["mnist"]["results"].items():
        values, own = list(run["curve"]["val_accuracy"]), ["32 bit"] * len(run["curve"]["val_accuracy"])
        further = quantized.get(seed)
        if further:
            values += further["curve"]["val_accuracy"]
            own += [f"{bits} bit" for stage in further["curve"]["stage"] for bits in [(8, 4, 2)[int(stage)]]]
        stages = max(stages, own, key=len)
        axes.plot(range(1, len(values) + 1), [100 * value for value in values], label=f"seed {seed}")
    for number, stage in enumerate(dict.fromkeys(stages)):
        first, last = stages.index(stage), len(stages) - 1 - stages[::-1].index(stage)
        axes.axvspan(first + 0.5, last + 1.5, color="0.5", alpha=0.12 * (number % 2), lw=0)
        axes.annotate(stage, ((first + last + 2) / 2, 0.02), xycoords=("data", "axes fraction"), ha="center")
    axes.set(
        xlabel="epoch",
        ylabel="validation accuracy / %",
        ylim=(97, 99.6),
        title="mnist_ttfs, then mnist_qat",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08))
    figure.savefig(path, dpi=150)
    plt.close(figure)
