"""Tables of the noisy-weights reproduction, the paper's values beside ours: terminal, .md file and report have the same cells."""

from __future__ import annotations

import csv
import io

from ..noisy_weights import ANN_PAPER, ANN_SAMPLE, CARD_CONDITIONS, NAMES, NoisyWeights, Published, Row, Spread
from .blocks import Table
from .units import quantity

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
        f"±{100 * study.band:.3g} %; convergence: its first step (1 step = 1 ms in the paper). Brackets: 95 % t interval of "
        "the mean over networks and trials."
    )


def tables(study: NoisyWeights, source: str = "") -> list[Table]:
    """Accuracy, convergence and threshold tables of both networks, the networks themselves, and the signal-to-noise ratio."""
    found = []
    for architecture in dict.fromkeys(network.architecture for network in study.networks):
        found.append(_accuracy(study, architecture, source))
        found.append(_convergence(study, architecture, source))
        if any(row.architecture == architecture and row.scale != 1 for row in study.rows):
            found += _scales(study, architecture, source)
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
    for table in tables(study):
        lines += [table.markdown(), ""]
    return "\n".join(lines)


def rows_csv(study: NoisyWeights) -> str:
    """Every row with all its fields but the curve."""
    entries = []
    for row in study.rows:
        entry = {}
        for name, value in row.model_dump(exclude={"curve"}).items():
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


def _percent(value: Spread | None) -> str:
    if value is None:
        return NONE
    if value.n < 2:
        return f"{100 * value.mean:.2f}"
    return f"{100 * value.mean:.2f} [{100 * value.low:.2f}, {100 * value.high:.2f}] sd {100 * value.std:.2f}"


def _steps(value: Spread | None) -> str:
    if value is None:
        return NONE
    return (
        f"{value.mean:.1f}"
        if value.n < 2
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
    columns = {
        "ANN, one draw per trial": study.select(architecture, "ann", ANN_PAPER),
        "ANN, per inference": study.select(architecture, "ann", ANN_SAMPLE),
        "ANN, frozen": study.select(architecture, "ann", "frozen"),
        "SNN, temporal": study.select(architecture, "snn", "temporal"),
        "SNN, frozen": study.select(architecture, "snn", "frozen"),
    }
    levels = sorted({row.level for rows in columns.values() for row in rows})
    header = ["noise"]
    for name in columns:
        header.append(f"{name} (%)")
        if name in ("ANN, one draw per trial", "SNN, temporal"):
            header.append(f"{CITATION} (%)")
    rows = []
    for level in levels:
        cells = [f"{level:.0%}"]
        for name, found in columns.items():
            row = _at(found, level)
            cells.append(_percent(row.accuracy if row else None))
            if name in ("ANN, one draw per trial", "SNN, temporal"):
                cells.append(_said(row))
        rows.append(cells)
    figure = 2 if architecture == "fc" else 3
    caption = (
        f"{NAMES[architecture]}: accuracy under noisy weights ({CITATION}, fig. {figure}; only what its text states)."
    )
    return Table(caption=caption, header=header, rows=rows, source=source)


def _convergence(study: NoisyWeights, architecture: str, source: str) -> Table:
    number = "II" if architecture == "fc" else "III"
    header = (
        "noise",
        "convergence",
        CITATION,
        "stays within ±0.1 %",
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


def _scales(study: NoisyWeights, architecture: str, source: str) -> list[Table]:
    scales = sorted({r.scale for r in study.rows if r.architecture == architecture and r.side == "snn"})
    curves = {scale: study.select(architecture, "snn", "temporal", scale) for scale in scales}
    levels = sorted({row.level for rows in curves.values() for row in rows})
    rows = [
        (f"{level:.0%}", *(_percent(row.accuracy if (row := _at(curves[scale], level)) else None) for scale in scales))
        for level in levels
    ]
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
                spikes, static = row.spike_energy_j, row.static_energy_j
                rows.append(
                    (
                        NAMES[row.architecture],
                        name.removeprefix("card, ").replace("card", "frozen and temporal"),
                        _percent(row.accuracy),
                        f"{100 * row.accuracy.least:.2f}",
                        _steps(row.within_1),
                        NONE if row.spikes is None else f"{row.spikes:.0f}",
                        NONE if spikes is None else quantity(spikes, "J"),
                        NONE if static is None else quantity(static, "J"),
                    )
                )
    header = ("network", "noise", "accuracy (%)", "worst", "within 1 %", "spikes", "energy of spikes", "static energy")
    edited = ", edited by hand" if study.card_edited else ""
    step = "" if study.step_s is None else f", one step = {quantity(study.step_s, 's')}"
    caption = (
        f"On the neurons of {study.card}'s rate card{edited} ({(study.card_digest or '')[:12]}{step}), weights exact."
    )
    return Table(caption=caption, header=header, rows=rows, source=source)


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
