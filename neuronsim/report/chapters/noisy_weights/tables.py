"""Tables of the noisy-weights reproduction, the paper's values beside ours: terminal, .md file and report have the same cells."""

from __future__ import annotations

import csv
import io
import math

from neuronsim.artifacts.noisy_weights_study import (
    ANN_PAPER,
    ANN_SAMPLE,
    ANN_UNROLLED,
    CARD_CONDITIONS,
    NAMES,
    SNN_SHARED,
    NoisyWeights,
    Published,
    Row,
    Spread,
)
from neuronsim.report.page.elements import Table
from neuronsim.statistics.proportions import wilson
from neuronsim.units import quantity

from .findings import findings

NONE = "–"
TITLE = "Noisy synaptic weights: spiking against analog networks"
CITATION = "paper 000"


def about(study: NoisyWeights) -> str:
    """What was run."""
    draws = _draws(study)
    return (
        f"First {study.n_images} test images of {study.data}, {study.steps} steps, {study.encoding} input spikes, networks "
        f"trained from {_seeds(study)} seed(s), {study.trials} trial(s) of noise each (analog network, one draw for all images: "
        f"{draws}), seed {study.seed}. Noise level: standard deviation over weight. Final accuracy: mean of the range within "
        f"±{100 * study.band:.3g} %; convergence: its first step (1 step = 1 ms in the paper).{_changed(study)} Brackets: 95 %, "
        "of a single trial Wilson's interval over the images; else t, over the means of the networks where there are several, "
        "over the trials of a single one. Trials share their images, whose own error (the single trials show it) comes on top."
    )


def _changed(study: NoisyWeights) -> str:
    """What was not as in the paper."""
    laws = {"fixed": "the same for every weight of a layer", "sqrt": "proportional to the root of the weight"}
    found = [f"Noise {laws[study.law]}." if study.law in laws else ""]
    found.append("Kernels shared by all positions." if study.kernels == "shared" else "")
    found.append("Reset by subtraction." if study.neuron.get("reset") == "subtract" else "")
    precharge = float(study.neuron.get("precharge", 0.0))
    found.append(f"Membranes start at {precharge:g} of the threshold." if precharge else "")
    text = " ".join(part for part in found if part)
    return f" {text}" if text else ""


def tables(study: NoisyWeights, source: str = "") -> list[Table]:
    """Accuracy, convergence and threshold tables of both networks, the networks themselves, and the signal-to-noise ratio."""
    found = []
    for architecture in dict.fromkeys(network.architecture for network in study.networks):
        found.append(_accuracy(study, architecture, source))
        found.append(_convergence(study, architecture, source))
        found += _lengths(study, architecture, source)
        if any(row.architecture == architecture and row.scale != 1 for row in study.rows):
            found += _scales(study, architecture, source)
    if study.frozen:
        found.append(_frozen(study, source))
    if study.card:
        found.append(_card(study, source))
    if study.snr:
        found.append(_snr(study, source))
    rows = [
        (
            NAMES[n.architecture],
            str(n.seed),
            str(n.epochs),
            f"{100 * n.accuracy:.2f}",
            ", ".join(f"{t:.3g}" for t in n.thresholds),
        )
        for n in study.networks
    ]
    header = ("network", "seed", "epochs", "ANN, all test images (%)", "thresholds D_l / D_(l-1)")
    found.append(
        Table(caption="Networks, trained here on all training images.", header=header, rows=rows, source=source)
    )
    return found


def markdown(study: NoisyWeights) -> str:
    """All tables as Markdown."""
    lines = [f"# {TITLE}", "", about(study), "", f"Made by `{study.command}`." if study.command else "", ""]
    for sentence in findings(study):
        lines += [f"- {sentence}", ""]
    for table in tables(study):
        lines += [table.markdown(), ""]
    return "\n".join(lines)


def rows_csv(study: NoisyWeights) -> str:
    """Every row with all its fields but the curve."""
    entries = []
    for row in study.rows:
        entry = {}
        for name, value in row.model_dump(exclude={"curve", "by_length"}).items():
            if name in ("accuracy", "convergence", "near", "within_1", "within_05"):
                entry |= {f"{name}_{key}": (value or {}).get(key) for key in Spread.model_fields}
            elif name == "paper":
                entry |= {f"paper_{key}": (value or {}).get(key) for key in Published.model_fields}
            else:
                entry[name] = value
        entries.append(entry)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(entries[0]) if entries else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()


def _seeds(study: NoisyWeights) -> int:
    return len({network.seed for network in study.networks})


def _draws(study: NoisyWeights) -> int:
    """Draws of noise of each analog network, one for all images."""
    rows = [row for row in study.rows if row.noise == ANN_PAPER and row.level > 0]
    return max((row.accuracy.n // _seeds(study) for row in rows), default=study.trials)


def _percent(study: NoisyWeights, row: Row | None) -> str:
    if row is None:
        return NONE
    value = row.accuracy
    if value.n < 2:
        low, high = wilson(value.mean, row.n_images or study.n_images)
        return f"{100 * value.mean:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
    if value.low is None or value.high is None:
        return f"{100 * value.mean:.2f}"
    return f"{100 * value.mean:.2f} [{100 * value.low:.2f}, {100 * value.high:.2f}] sd {100 * value.std:.2f}"


def _steps(value: Spread | None) -> str:
    if value is None:
        return NONE
    return (
        f"{value.mean:.1f}"
        if value.low is None or value.high is None
        else f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}] sd {value.std:.1f}"
    )


def _said(row: Row | None) -> str:
    """The paper's accuracy for a row."""
    if row is None or row.paper is None or row.paper.accuracy is None:
        return NONE
    note = f" ({row.paper.accuracy_note})" if row.paper.accuracy_note else ""
    return f"{100 * row.paper.accuracy:.2f}{note}"


def _time(mean: float | None, std: float | None) -> str:
    return NONE if mean is None else f"{mean:g} ±{std:g}"


def _at(rows: list[Row], level: float) -> Row | None:
    """The row of a level; without noise the temporal row stands for every kind."""
    return next((row for row in rows if row.level == level), None)


def _accuracy(study: NoisyWeights, architecture: str, source: str) -> Table:
    conv = architecture == "cnn"
    # (header, its rows, whether the paper's value stands beside it)
    columns = [
        ("ANN, one draw per trial" + (", shared kernel" if conv else ""), ("ann", ANN_PAPER), True),
        ("ANN, one draw per trial, unrolled", ("ann", ANN_UNROLLED), False),
        ("ANN, per inference", ("ann", ANN_SAMPLE), False),
        ("ANN, frozen", ("ann", "frozen"), False),
        ("SNN, temporal", ("snn", "temporal"), True),
        ("SNN, temporal, shared kernel", ("snn", SNN_SHARED), False),
        ("SNN, frozen", ("snn", "frozen"), False),
    ]
    found = [(name, study.select(architecture, *which), said) for name, which, said in columns]
    found = [column for column in found if column[1] or column[2]]
    levels = sorted({row.level for _, rows, _ in found for row in rows})
    header = ["noise"]
    for name, rows, said in found:
        few = {row.n_images for row in rows} - {None}
        header.append(f"{name}{f', first {few.pop()} images' if few else ''} (%)")
        header += [f"{CITATION} (%)"] if said else []
    body = []
    for level in levels:
        cells = [f"{level:.0%}"]
        for _, rows, said in found:
            row = _at(rows, level)
            cells.append(_percent(study, row))
            cells += [_said(row)] if said else []
        body.append(cells)
    figure = 2 if architecture == "fc" else 3
    caption = (
        f"{NAMES[architecture]}: accuracy under noisy weights ({CITATION}, fig. {figure}; only what its text states)."
    )
    if conv:
        caption += (
            " Shared kernel: all positions of a convolution use one physical kernel and its errors together, as a program that "
            "adds noise to its weights has it; "
        )
        others = (
            "its synapses are shared too" if study.kernels == "shared" else "every position has synapses of its own"
        )
        caption += f"in a column that does not say so {others}."
    return Table(caption=caption, header=header, rows=body, source=source)


def _frozen(study: NoisyWeights, source: str) -> Table:
    """Both sides on the same chips."""
    body = []
    for d in study.frozen:
        ann, snn = (_at(study.select(d.architecture, side, "frozen"), d.level) for side in ("ann", "snn"))
        interval = "" if d.low is None or d.high is None else f" [{100 * d.low:+.2f}, {100 * d.high:+.2f}]"
        body.append(
            (
                NAMES[d.architecture],
                f"{d.level:.0%}",
                str(d.n),
                _percent(study, ann),
                _percent(study, snn),
                f"{100 * d.mean:+.2f}{interval}",
            )
        )
    header = ("network", "noise", "chips", "ANN (%)", "SNN (%)", "SNN minus ANN (points)")
    few = {row.n_images for row in study.rows if row.noise == "frozen"} - {None}
    images = f", first {few.pop()} test images" if few else ""
    caption = (
        f"Frozen noise: both networks on the same chips (the same draw of every synapse){images}; difference paired by chip, "
        "95 % t interval over the chips, or over the networks where there are several."
    )
    return Table(caption=caption, header=header, rows=body, source=source)


def _convergence(study: NoisyWeights, architecture: str, source: str) -> Table:
    number = "II" if architecture == "fc" else "III"
    header = (
        "noise",
        "convergence",
        CITATION,
        f"stays within ±{_near(study)} %",
        "within 1 %",
        CITATION,
        "within 0.5 %",
        "not converged",
        "spikes",
        "synaptic events",
    )
    rows = []
    for row in study.select(architecture, "snn", "temporal"):
        p = row.paper or Published()
        rows.append(
            (
                f"{row.level:.0%}",
                _steps(row.convergence),
                _time(p.convergence, p.convergence_std),
                _steps(row.near),
                _steps(row.within_1),
                _time(p.within_1, p.within_1_std),
                _steps(row.within_05),
                f"{row.not_converged} of {row.accuracy.n}",
                NONE if row.spikes is None else f"{row.spikes:.0f}",
                NONE if row.events is None else f"{row.events:.3g}",
            )
        )
    caption = f"{NAMES[architecture]}: convergence time in steps ({CITATION}, table {number}); spikes and events per inference."
    return Table(caption=caption, header=header, rows=rows, source=source)


def _lengths(study: NoisyWeights, architecture: str, source: str) -> list[Table]:
    """Convergence of the averaged curve, as runs of several lengths show it; no table where a result has no such curves."""
    rows = [row for row in study.select(architecture, "snn", "temporal") if row.by_length]
    if not rows:
        return []
    steps = [entry.steps for entry in rows[0].by_length]
    body = []
    for row in rows:
        cells = [f"{row.level:.0%}"]
        for entry in row.by_length:
            cells += [NONE if entry.convergence is None else str(entry.convergence)]
            cells += [NONE if entry.near is None else str(entry.near)]
        body.append(cells)
    header = ["noise"]
    for n in steps:
        header += [f"first {n} steps: ±{100 * study.band:.3g} %", f"first {n} steps: ±{_near(study)} %"]
    caption = (
        f"{NAMES[architecture]}: convergence in steps of the accuracy averaged over all trials, had the run been that long. "
        "The range lies around the mean of the run's end, so what counts as converged depends on its length: compare equal ones."
    )
    return [Table(caption=caption, header=header, rows=body, source=source)]


def _near(study: NoisyWeights) -> str:
    """The wide range in percent: 0.1, or an image where that is more."""
    return f"{100 * max(0.001, 1 / study.n_images):.3g}"


def _scales(study: NoisyWeights, architecture: str, source: str) -> list[Table]:
    scales = sorted({r.scale for r in study.rows if r.architecture == architecture and r.side == "snn"})
    curves = {scale: study.select(architecture, "snn", "temporal", scale) for scale in scales}
    levels = sorted({row.level for rows in curves.values() for row in rows})
    rows = [(f"{level:.0%}", *(_percent(study, _at(curves[scale], level)) for scale in scales)) for level in levels]
    header = ("noise", *(f"σ = {scale:g} (%)" for scale in scales))
    found = [
        Table(
            caption=f"{NAMES[architecture]}: accuracy at threshold scale σ of the first hidden layer ({CITATION}, fig. 4).",
            header=header,
            rows=rows,
            source=source,
        )
    ]
    which, loss = ("within_05", "0.5 %") if architecture == "fc" else ("within_1", "1 %")
    cells = []
    for scale in scales:
        least, most = _at(curves[scale], 0.0), _at(curves[scale], 1.0)
        a, b = (getattr(row, which) if row else None for row in (least, most))
        cells.append((f"{scale:g}", _steps(a), _steps(b), f"{b.mean / a.mean:.2f}" if a and b else NONE))
    caption = (
        f"{NAMES[architecture]}: steps to within {loss} of the final accuracy, and their ratio ({CITATION}, fig. 5)."
    )
    found.append(Table(caption=caption, header=("σ", "noise 0 %", "noise 100 %", "ratio"), rows=cells, source=source))
    return found


def _card(study: NoisyWeights, source: str) -> Table:
    """Accuracy and energy on the circuit's neurons."""
    rows = []
    for name, _, _ in CARD_CONDITIONS:
        for row in study.rows:
            if row.noise == name:
                spikes, static, within = row.spike_energy_j, row.static_energy_j, row.within_1
                rows.append(
                    (
                        NAMES[row.architecture],
                        name.removeprefix("card, ").replace("card", "frozen and temporal"),
                        _percent(study, row),
                        _with_images(study, row),
                        f"{100 * row.accuracy.least:.2f}",
                        _steps(row.within_1),
                        NONE if row.spikes is None else f"{row.spikes:.0f}",
                        NONE if spikes is None else quantity(spikes, "J"),
                        NONE if static is None else quantity(static, "J"),
                        NONE if static is None or within is None else quantity(static * within.mean / study.steps, "J"),
                    )
                )
    header = (
        "network", "noise", "accuracy (%)", "with the images' error", "worst", "within 1 %", "spikes", "energy of spikes",
        "static energy", "static energy until within 1 %",
    )  # fmt: skip
    edited = ", edited by hand" if study.card_edited else ""
    step = "" if study.step_s is None else f", one step = {quantity(study.step_s, 's')}"
    caption = (
        f"On the neurons of {study.card}'s rate card{edited} ({(study.card_digest or '')[:12]}{step}), weights exact. "
        "Brackets beside the accuracy: over chips or draws, all asked about the same images; in the next column the images' own "
        "error is added (the root of the sum of both squares, never too narrow). The step is the shortest that the card allows: "
        "whole steps of refractory time, or a refractory time below a twentieth of a step, which is left out. "
        f"Static energy is proportional to the step and, like the spikes, taken for all {study.steps} steps; "
        "beside it what it is until within 1 % of the end."
    )
    if study.jitter == "interval":
        caption += " Jitter acts on every interval by the same fraction."
    return Table(caption=caption, header=header, rows=rows, source=source)


def _with_images(study: NoisyWeights, row: Row) -> str:
    """Interval of chips and images together.

    The variance of a mean over both is at most that over the chips plus that over the images (whose Wilson interval holds
    the spread of single answers too): half widths add as squares.
    """
    value = row.accuracy
    low, high = wilson(value.mean, row.n_images or study.n_images)
    if value.n > 1 and value.low is not None and value.high is not None:
        low = value.mean - math.hypot(value.mean - low, value.mean - value.low)
        high = value.mean + math.hypot(high - value.mean, value.high - value.mean)
    return f"[{100 * max(0.0, low):.2f}, {100 * min(1.0, high):.2f}]"


def _snr(study: NoisyWeights, source: str) -> Table:
    rows = [
        (NAMES[p.architecture], p.noise, f"{p.level:.0%}", str(p.steps), f"{p.spikes:.1f}",
         f"{p.snr:.2f} [{p.low:.2f}, {p.high:.2f}]",          f"{p.snr / p.spikes**0.5:.2f}")
        for p in study.snr
    ]  # fmt: skip
    header = ("network", "noise", "level", "steps", "spikes of the winner", "signal to noise", "over √spikes")
    caption = (
        "Mean over standard deviation of the winning output's spike count in repeated inferences of the same images. Noise that "
        "is averaged by n spikes grows like √n (paper 000, IV-A): the last column is constant. Frozen noise does not average out."
    )
    return Table(caption=caption, header=header, rows=rows, source=source)
