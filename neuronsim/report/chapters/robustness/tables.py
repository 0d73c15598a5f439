"""Tables of a robustness study: the same cells in the terminal, in the .md file and in the report."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from neuronsim.artifacts.robustness_study import Point, Study
from neuronsim.papers.paper004 import CITATION, paper_row
from neuronsim.report.page.elements import Table
from neuronsim.units import accuracies, accuracy, percent, quantity, significant, trimmed

NONE = "–"


def tables(study: Study, source: str = "") -> list[Table]:
    """The tables of ``study``; the first is the main one."""
    make = {"quantization": _quantization, "snr": _snr, "jitter": _jitter, "card": _card, "energy": _energy}
    return make[study.study](study, source)


def markdown(study: Study) -> str:
    """All tables as Markdown, under a title that says what they are about."""
    lines = [f"# {TITLES[study.study]}", "", f"{about(study)}", ""]
    for table in tables(study):
        lines += [table.markdown(), ""]
    return "\n".join(lines)


def points_csv(study: Study) -> str:
    """Every point (energy: every network) with all its fields; lists are joined by blanks."""
    entries = [entry.model_dump() for entry in (study.energy if study.study == "energy" else study.points)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(entries[0]) if entries else [], lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow({k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in entry.items()})
    return text.getvalue()


TITLES = {
    "quantization": "Accuracy with b-bit weights",
    "snr": "Accuracy under weight noise",
    "jitter": "Accuracy under spike-time jitter",
    "card": "Accuracy on chips of the card",
    "energy": "Energy per inference",
}


def about(study: Study) -> str:
    """Images, seed, card, and what the levels are."""
    card = f", card of {study.card}{' (edited by hand)' if study.card_edited else ''}" if study.card else ""
    what = study.definition[:1].upper() + study.definition[1:]
    return f"{study.n_images} test images of {study.data_source}, seed {study.seed}{card}. {what}."


def _spread(point: Point | None) -> str:
    """Accuracy in percent; with draws also the half width of the 95 % interval of the mean."""
    if point is None:
        return NONE
    if point.interval == "images" or point.low is None or point.high is None:
        return f"{100 * point.accuracy:.2f}"
    return f"{100 * point.accuracy:.2f} ±{50 * (point.high - point.low):.2f}"


def interval_words(study: Study) -> str:
    """What the 95 % intervals of the points of ``study`` are over."""
    words = {
        "images": "Wilson over the images where nothing is drawn",
        "draws and images": "repeats and images both taken as samples",
        "draws": "t over the repeats, on these images",
    }
    return ", ".join(words[kind] for kind in words if any(p.interval == kind for p in study.points))


def points_interval(low: float | None, high: float | None) -> str:
    """Interval of a difference of accuracies in percent points; "–" where there is none."""
    return NONE if low is None or high is None else f"{100 * low:+.2f} … {100 * high:+.2f}"


def _quantization(study: Study, source: str) -> list[Table]:
    widths = sorted({p.bits for p in study.points if p.bits is not None}, reverse=True)
    columns: list[tuple[str, list[str]]] = []
    ratios: list[tuple[str, list[str]]] = []
    reference = paper_row(study.data)
    if reference:
        cells = [f"{100 * reference[1][bits]:.2f}" if bits in reference[1] else NONE for bits in widths]
        columns.append((f"{CITATION} ({reference[0]}), retrained", [NONE, *cells]))
    for network in study.networks:
        full = study.series(network.label, "full precision")
        for scope in ("neuron", "layer"):
            found = {p.bits: p for p in study.series(network.label, f"after training, per {scope}")}
            if found:
                cells = [_spread(found.get(bits)) for bits in widths]
                name = f"{network.label}, after training, range per {scope}"
                columns.append((name, [_spread(full[0] if full else None), *cells]))
                name = f"{network.label}, range per {scope}"
                ratios.append((name, [_decibel(found.get(bits)) for bits in widths]))
        found = {p.bits: p for p in study.series(network.label, "trained at this width")}
        if found:
            name = f"{network.label}, trained at {network.trained_bits} bit"
            columns.append((name, [NONE, *(_spread(found.get(bits)) for bits in widths)]))
    names = [f"{bits} bit" for bits in widths]
    caption = "Weight SNR of quantization after training (dB): 10 log10(sum w² / sum (w' - w)²); the paper counts 6.02 per bit."
    return [
        _upright("Accuracy (%).", "weights", ["full precision", *names], columns, source),
        _upright(caption, "weights", names, ratios, source),
    ]


def _upright(
    caption: str, corner: str, names: Sequence[str], columns: Sequence[tuple[str, list[str]]], source: str
) -> Table:
    """A table with a row for each of ``names`` and a column for each (title, cells)."""
    rows = [(name, *(cells[row] for _, cells in columns)) for row, name in enumerate(names)]
    return Table(caption=caption, header=(corner, *(title for title, _ in columns)), rows=rows, source=source)


def _decibel(point: Point | None) -> str:
    return NONE if point is None or point.weight_snr_db is None else f"{point.weight_snr_db:.1f}"


def _snr(study: Study, source: str) -> list[Table]:
    levels = sorted({p.level for p in study.points if p.level is not None}, reverse=True)
    columns = []
    for network, series in dict.fromkeys((p.network, p.series) for p in study.points if p.level is not None):
        quiet = study.series(network, f"{series}, no noise")
        found = {p.level: p for p in study.series(network, series)}
        cells = [_spread(found.get(level)) for level in levels]
        columns.append((f"{network}, {series}", [_spread(quiet[0] if quiet else None), *cells]))
    caption = f"Accuracy (%), mean over {_draws(study)} frozen draws. 95 % interval: {interval_words(study)}."
    names = ["no noise", *(f"{trimmed(level)} dB" for level in levels)]
    return [_upright(caption, "weight SNR", names, columns, source)]


def _draws(study: Study) -> int:
    return max((len(p.draws) for p in study.points), default=0)


def _jitter(study: Study, source: str) -> list[Table]:
    found = []
    for series, what in (("inputs", "of input spikes, relative to t"), ("outputs", "of every neuron's output spike")):
        levels = sorted({p.level for p in study.points if p.series == series and p.level is not None})
        columns = []
        for network in study.networks:
            quiet = study.series(network.label, "no jitter")
            cells = [_spread(point) for point in study.series(network.label, series)]
            columns.append((network.label, [_spread(quiet[0] if quiet else None), *cells]))
        units = [f"{trimmed(100 * level, 3)} %" if series == "inputs" else f"{trimmed(level, 3)} τ" for level in levels]
        caption = f"Accuracy (%) under jitter {what} (rms): mean over {_draws(study)} temporal draws. 95 % interval: "
        caption += f"{interval_words(study)}."
        found.append(_upright(caption, "jitter", ["none", *units], columns, source))
    return found


def _card(study: Study, source: str) -> list[Table]:
    rows = []
    for network in study.networks:
        for p in (p for p in study.points if p.network == network.label):
            trained = network.trained_card_digest
            under = "no card" if trained is None else "this card" if trained == study.card_digest else "another card"
            repeats = f"{len(p.draws)} {study.repeats(p)}" if p.draws else NONE
            rows.append(
                [
                    network.label,
                    under,
                    p.series,
                    accuracy(p.accuracy),
                    accuracies(p.low, p.high).removesuffix(" %"),
                    accuracy(p.worst) if p.draws else NONE,
                    repeats,
                    percent(p.silent_outputs),
                    NONE if p.out_of_range is None else percent(p.out_of_range),
                ]
            )
    header = (
        "network", "trained under", "condition", "accuracy", "95 % interval", "worst of them", "repeats", "silent images",
        "out of range",
    )  # fmt: skip
    caption = (
        'Accuracy. "card": frozen mismatch and temporal noise; temporal draws are of the nominal chip. Interval: '
        f"{interval_words(study)}. Out of range: – where the card has no limit of the detector, or none is known."
    )
    found = [Table(caption=caption, header=header, rows=rows, source=source)]
    if study.gains:
        gained = [
            [g.network, g.reference, f"{100 * g.mean:+.2f}", points_interval(g.low, g.high), str(g.chips),
             "same chips" if g.paired else "different layers"]
            for g in study.gains
        ]  # fmt: skip
        caption = (
            "What it bought: difference of mean accuracy on the card, in points, with its 95 % interval over "
            f"{' / '.join(dict.fromkeys(g.interval for g in study.gains))}."
        )
        header = ("network", "against", "difference", "95 % interval", "chips", "pairs")
        found.append(Table(caption=caption, header=header, rows=gained, source=source))
    return found


def _energy(study: Study, source: str) -> list[Table]:
    columns = []
    for e in study.energy:
        rules = [quantity(value, "J", 3) for value in (e.rule_spikes_j, e.rule_events_j, e.rule_weights_j)]
        active = _joules(e.card_active_j, e.card_active_low_j, e.card_active_high_j)
        always = _joules(e.card_always_on_j, e.card_always_on_low_j, e.card_always_on_high_j)
        columns.append((e.network, [*rules, active, always]))
    names = ["10 pJ per spike", "10 pJ per synaptic event", "weights × sparsity × 10 pJ"]
    names += ["card, active window", "card, always on"]
    caption = (
        "Energy per inference. The third rule is the one behind the paper's 205 nJ (paper 004, section 4.1: 21K weights, "
        "sparsity 0.94). Active window: static power until the decision; always on: for a fixed clock, at least 5 τ."
    )
    chips = max((e.card_chips for e in study.energy if e.card_active_j is not None), default=0)
    if chips:
        caption += (
            f" Card: mean over {chips} chip{'s with its 95 % t interval over them' if chips > 1 else ', no interval'}."
        )
    energies = _upright(caption, "rule", names, columns, source)
    columns = []
    for e in study.energy:
        window = NONE if e.card_window_tau is None else f"{trimmed(e.card_window_tau, 3)} τ"
        share = NONE if e.card_static_share is None else percent(e.card_static_share)
        numbers = (e.input_spikes, e.spikes, e.spikes_by_decision, e.synaptic_events)
        cells = [str(e.n_weights), str(e.n_neurons), *(significant(x, 4) for x in numbers)]
        columns.append((e.network, [*cells, f"{e.decision_tau:.2f} τ", window, share]))
    names = ["weights", "neurons", "input spikes", "spikes", "spikes by decision", "synaptic events", "decision"]
    names += ["clock window, card", "static share, card, active window"]
    counts = _upright("Counts per inference, mean over the images.", "what", names, columns, source)
    shares = [(e.network, e.mean_sparsity, e.sparsity) for e in study.energy]
    return [energies, counts, _sparsity(shares, source)]


def _joules(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NONE
    if low is None or high is None:
        return quantity(value, "J", 3)
    return f"{quantity(value, 'J', 4)} [{quantity(low, 'J', 4)}, {quantity(high, 'J', 4)}]"


def _sparsity(rows: Sequence[tuple[str, float, list[float]]], source: str) -> Table:
    layers = max((len(shares) for _, _, shares in rows), default=0)
    cells = [
        [name, percent(mean), *(percent(share) for share in shares), *[NONE] * (layers - len(shares))]
        for name, mean, shares in rows
    ]
    header = ("network", "all neurons", *(f"layer {number + 1}" for number in range(layers)))
    return Table(caption="Sparsity: share of neurons that fire.", header=header, rows=cells, source=source)
