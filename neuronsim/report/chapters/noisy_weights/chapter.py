"""The noisy-weights reproduction: what was run, what it shows in sentences, and its plots, tables and rows."""

from typing import Any

from neuronsim.analysis.noisy_weights import (
    analog_draws,
    architectures,
    fall,
    frozen_noise,
    networks_per_architecture,
    paper_fall,
)
from neuronsim.artifacts.noisy_weights_study import (
    ANN_PAPER,
    NAMES,
    ChipDifference,
    NoisyWeights,
    Published,
    Row,
    Spread,
    Trained,
)
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.study import Plot, StudyReport

from .accuracy import accuracy_plot, accuracy_table, card_table, frozen_table
from .cells import NETWORK
from .convergence import (
    convergence_plot,
    convergence_table,
    length_tables,
    snr_plot,
    snr_table,
    threshold_plot,
    threshold_tables,
)

_LAWS = {"fixed": "the same for every weight of a layer", "sqrt": "proportional to the root of the weight"}
_TRAINED: list[Column[Trained]] = [
    NETWORK,
    Column("seed", "seed"),
    Column("epochs", "epochs"),
    Column("ANN, all test images (%)", "accuracy", lambda value: f"{100 * value:.2f}"),
    Column("thresholds D_l / D_(l-1)", "thresholds", lambda values: ", ".join(f"{t:.3g}" for t in values)),
]


def noisy_weights_report(study: NoisyWeights) -> StudyReport:
    """Plots, tables and rows of the reproduction, the paper's values beside ours."""
    about = _about(study)
    return StudyReport(
        study=study,
        name="noisy-weights",
        title="Noisy synaptic weights: spiking against analog networks",
        short="Noisy weights",
        about=about,
        plots=_plots(study),
        tables=_tables(study),
        rows=[_entry(row) for row in study.rows],
        findings=_findings(study),
        intro=about,
        command=study.command,
    )


def _about(study: NoisyWeights) -> str:
    """What was run."""
    return (
        f"First {study.n_images} test images of {study.data}, {study.steps} steps, {study.encoding} input spikes, networks "
        f"trained from {networks_per_architecture(study)} seed(s), {study.trials} trial(s) of noise each (analog network, one "
        f"draw for all images: {analog_draws(study)}), seed {study.seed}. Noise level: standard deviation over weight. Final "
        f"accuracy: mean of the range within ±{100 * study.band:.3g} %; convergence: its first step (1 step = 1 ms in the "
        f"paper).{_changed(study)} Brackets: 95 %, of a single trial Wilson's interval over the images; else t, over the means "
        "of the networks where there are several, over the trials of a single one. Trials share their images, whose own error "
        "(the single trials show it) comes on top."
    )


def _changed(study: NoisyWeights) -> str:
    """What was not as in the paper."""
    precharge = float(study.neuron.get("precharge", 0.0))
    parts = [
        f" Noise {_LAWS[study.law]}." if study.law in _LAWS else "",
        " Kernels shared by all positions." if study.kernels == "shared" else "",
        " Reset by subtraction." if study.neuron.get("reset") == "subtract" else "",
        f" Membranes start at {precharge:g} of the threshold." if precharge else "",
    ]
    return "".join(parts)


def _plots(study: NoisyWeights) -> list[Plot]:
    """The pictures that the study has data for."""
    caption = (
        "Accuracy under noisy weights: mean over networks and trials, bars: 95 % interval of the mean; open diamonds: what "
        "the paper's text states (figures 2 and 3)."
    )
    plots = [Plot(name="accuracy", draw=accuracy_plot, caption=caption)]
    caption = "Error after each step; dotted: mean convergence time (tables II and III)."
    plots.append(Plot(name="convergence", draw=convergence_plot, caption=caption))
    if any(row.scale != 1 for row in study.rows):
        caption = "Threshold scale of the first hidden layer (figures 4 and 5)."
        plots.append(Plot(name="thresholds", draw=threshold_plot, caption=caption))
    if study.snr:
        caption = "Signal-to-noise ratio of the winning output's count under 100 % noise."
        plots.append(Plot(name="snr", draw=snr_plot, caption=caption))
    return plots


def _tables(study: NoisyWeights) -> list[Table]:
    """Accuracy, convergence and threshold tables of both networks, the networks themselves, and the signal-to-noise ratio."""
    tables = []
    for architecture in architectures(study):
        tables.append(accuracy_table(study, architecture))
        tables.append(convergence_table(study, architecture))
        tables += length_tables(study, architecture)
        if any(row.architecture == architecture and row.scale != 1 for row in study.rows):
            tables += threshold_tables(study, architecture)
    tables += [frozen_table(study)] if study.frozen else []
    tables += [card_table(study)] if study.card else []
    tables += [snr_table(study)] if study.snr else []
    caption = "Networks, trained here on all training images."
    return [*tables, table(caption, _TRAINED, study.networks)]


def _entry(row: Row) -> dict[str, Any]:
    """All fields of a row but the curve, those of its parts beside each other."""
    entry: dict[str, Any] = {}
    for name, value in row.model_dump(exclude={"curve", "by_length"}).items():
        parts = {
            "paper": Published,
            **dict.fromkeys(("accuracy", "convergence", "near", "within_1", "within_05"), Spread),
        }
        if name in parts:
            entry |= {f"{name}_{key}": (value or {}).get(key) for key in parts[name].model_fields}
        else:
            entry[name] = value
    return entry


def _findings(study: NoisyWeights) -> list[str]:
    """A sentence on each network: the fall under the largest noise, ours and the paper's, and frozen noise."""
    sentences = []
    for architecture in architectures(study):
        parts = [
            _fall_words("analog, one draw for all images", fall(study, architecture, "ann", ANN_PAPER)),
            _fall_words("spiking, temporal noise", fall(study, architecture, "snn", "temporal")),
            _frozen_words(*frozen_noise(study, architecture)),
        ]
        if any(parts):
            sentences.append(f"{NAMES[architecture]}: {'; '.join(part for part in parts if part)}.")
    return sentences


def _fall_words(name: str, ends: tuple[Row, Row] | None) -> str:
    if ends is None:
        return ""
    ours, said = _change(*(row.accuracy.mean for row in ends)), paper_fall(ends)
    paper = f", in the paper {_change(*said)}" if said else ""
    return f"{name}: {ours} from no noise to {ends[-1].level:.0%}{paper}"


def _change(before: float, after: float) -> str:
    return f"{100 * (after - before):+.2f} points ({100 * before:.2f} to {100 * after:.2f})"


def _frozen_words(paired: ChipDifference | None, ann: Row | None, snn: Row | None) -> str:
    if paired is not None:
        return _paired_words(paired)
    if ann is None or snn is None:
        return ""
    a, b = ann.accuracy, snn.accuracy
    return (
        f"frozen noise of {ann.level:.0%}: analog {100 * a.mean:.2f} % on {_chips(a.n)}, spiking {100 * b.mean:.2f} % on "
        f"{_chips(b.n)}, other draws on each side, so a difference cannot be told from chance"
    )


def _paired_words(d: ChipDifference) -> str:
    if d.low is None or d.high is None:
        return (
            f"frozen noise of {d.level:.0%} on one chip: spiking minus analog {100 * d.mean:+.2f} points, no interval"
        )
    over = "networks" if d.over == "networks" else "chips"
    where = "within" if d.low <= 0 <= d.high else "outside"
    return (
        f"frozen noise of {d.level:.0%}, the same {d.n} chips on both sides: spiking minus analog {100 * d.mean:+.2f} points "
        f"[{100 * d.low:+.2f}, {100 * d.high:+.2f}] over the {over}, 0 lies {where}"
    )


def _chips(n: int) -> str:
    return "one chip" if n == 1 else f"{n} chips"
