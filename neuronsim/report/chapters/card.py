"""Chapters on a model card: values with their intervals, what could not be fitted, how well it predicts, and does it still?"""

import json
import math
from collections.abc import Collection
from functools import partial

import numpy as np
from pydantic import BaseModel

from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.card_parts import Quality, Range
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.artifacts.verification import Stimulus, Verification
from neuronsim.statistics.estimate import Estimate
from neuronsim.units import percent, percents, prefix_for, pretty, quantity, significant, trimmed, unit_of

from ..page.columns import MISSING, Column, table
from ..page.elements import Block, Note, Section, Table, Text
from .bench import toml_text

_Row = tuple[str, ...]
_FRACTIONS = {"mismatch_sigma", "gain_sigma", "isi_jitter", "threshold_mismatch", "missing_probability"}
_UNITS = {
    "ramp_per_tau": "threshold/τ", "ramp_sigma_per_tau": "threshold/τ", "xor_limit_weight": "unit weights",
    "sigma_v": "threshold", "diffusion_v": "threshold/√τ", "loop_v": "threshold/√τ", "valid_time_tau": "τ",
    "second_pole_ratio": "", "gain": "", "valid_weight": "", "valid_inputs": "",
}  # fmt: skip
_GROUPS = {
    "kernel": "Kernel",
    "weights": "Weights",
    "timing_noise": "Temporal noise (one draw per spike)",
    "frozen": "Frozen spread (one draw per chip)",
    "energy": "Energy",
}
_JUDGED = {
    "ttfs": "Held-out runs against the targets, and the predicted distribution. Over target: |t_card − t_circuit| in units of "
    "what is allowed, so at most 1.",
    "rate": "Held-out runs: the error of the rate, f_card / f_circuit − 1, and how the spreads hold at currents that they were "
    "not fitted at.",
}


def written(name: str, value: float, digits: int = 4) -> str:
    """One card value with its unit, by the name of its field."""
    if name in _FRACTIONS:
        return percent(value, digits)
    if name in _UNITS:
        return f"{trimmed(value, digits)} {_UNITS[name]}".strip()
    return quantity(value, unit_of(name), digits)


_QUALITY: list[Column[Quality]] = [
    Column("runs fitted", "n_fit"),
    Column("runs held out", "n_held_out"),
    Column("median error", "median_error", percent),
    Column("p95 error", "p95_error", percent),
    Column("spike / no-spike agreement", "spike_agreement", lambda share: percent(share, 4)),
]


def card_section(card: TTFSCard | RateCard, source: str, anchor: str = "card") -> Section:
    """The whole card as tables."""
    blocks: list[Block] = []
    if card.edited:
        text = 'This card was edited by hand (digest "unsigned"): its values are not what calibration found.'
        blocks.append(Note(text=text, warning=True))
    header = ("group", "value", "estimate", "95 % interval", "meaning")
    caption = "Calibrated values with their 95 % confidence intervals."
    blocks.append(Table(caption=caption, header=header, rows=_values(card)))
    blocks.append(table("Prediction of runs that were not used in the fit.", _QUALITY, [card.quality]))
    judged = _judged(card.quality)
    if judged:
        header = ("what", "value", "95 % interval", "runs")
        blocks.append(Table(caption=_JUDGED[card.code], header=header, rows=judged))
    if card.not_fitted:
        rows = sorted(card.not_fitted.items())
        blocks.append(Table(caption="Not fitted, and why.", header=("value", "reason"), rows=rows))
    header = ("range", "from", "to")
    blocks.append(Table(caption="The card holds within these ranges.", header=header, rows=_ranges(card)))
    blocks += _origin(card)
    title, short = f"Model card of {card.neuron} ({card.code})", f"Card of {card.neuron}"
    return Section(title=title, short=short, anchor=anchor, blocks=blocks).from_file(source)


def _values(card: ModelCard) -> list[_Row]:
    """Every value of the card, group by group, in the order of its fields."""
    rows = []
    for field, info in type(card).model_fields.items():
        value, meaning = getattr(card, field), info.description or ""
        if isinstance(value, Estimate):
            rows.append(("", *_estimate(field, value, field not in card.not_fitted), meaning))
        elif field in _GROUPS and value is None:
            rows.append((_GROUPS[field], "", "none", "", meaning))
        elif field in _GROUPS and isinstance(value, BaseModel):
            rows += _part(_GROUPS[field], value, {n.removeprefix(f"{field}.") for n in card.not_fitted})
    return rows


def _part(group: str, part: BaseModel, not_fitted: Collection[str]) -> list[_Row]:
    rows = []
    for index, (name, info) in enumerate(type(part).model_fields.items()):
        value = getattr(part, name)
        texts = (_label(name), "not fitted", "") if value is None else _estimate(name, value, name not in not_fitted)
        rows.append((group if index == 0 else "", *texts, info.description or ""))
    return rows


def _estimate(name: str, value: Estimate, fitted: bool) -> tuple[str, str, str]:
    if not fitted:
        return _label(name), written(name, value.value) if value.value else MISSING, "not fitted"
    if value.low == value.high:
        return _label(name), written(name, value.value), "exact"
    # enough digits for the ends of a narrow interval to differ
    wanted = 2 + math.ceil(math.log10(max(abs(value.low), abs(value.high)) / (value.high - value.low)))
    digits = min(max(4, wanted), 9)
    return _label(name), written(name, value.value, digits), written_range(name, value.low, value.high, digits)


def _judged(q: Quality) -> list[_Row]:
    """Rows (what, value, 95 % interval, runs) of the figures beyond the errors, those that the card has."""
    three = partial(trimmed, digits=3)
    signed = None if q.bias is None or q.spread is None else f"{percent(q.bias)} ± {percent(q.spread)}"
    rows = [
        ("median over max(1 %, half a sampling period)", q.median_over_target, three, q.n_compared),
        ("p95 over max(3 %, a sampling period)", q.p95_over_target, three, q.n_compared),
        ("signed error, clipped to ±p95: mean ± standard deviation", signed, str, q.n_compared),
        ("interval jitter, |predicted over measured − 1| at other currents, median", q.isi_jitter_error, percent,
         q.n_isi_jitter and f"{q.n_isi_jitter} currents"),
        ("interval jitter, without noise over with it, largest (the deck's floor)", q.isi_jitter_floor, percent, ""),
        ("rate of mismatched chips, |error| at other currents, median", q.threshold_mismatch_error, percent, ""),
    ]  # fmt: skip
    known = [(what, text(value), "", str(n or "")) for what, value, text, n in rows if value is not None]
    if q.coverage is not None:
        of = "under temporal noise" if q.coverage_of == "noisy" else "noise-free"
        value, interval = percent(q.coverage.value), percents(q.coverage.low, q.coverage.high)
        known.append((f"runs within the predicted 90 % interval ({of})", value, interval, str(q.n_coverage)))
    if q.sigma_over_predicted is not None:
        value, low, high = (significant(getattr(q.sigma_over_predicted, n), 3) for n in ("value", "low", "high"))
        known.append(("spread under temporal noise, simulated over predicted", value, f"{low} … {high}", ""))
    return known


def _origin(card: ModelCard) -> list[Block]:
    """What the card was made from."""
    p = card.provenance
    rows = [
        ("digest", card.digest),
        ("dataset digest", p.dataset_digest),
        ("netlist sha256", p.netlist_sha256),
        ("engine", f"{p.engine} {p.engine_version}"),
        ("seed", str(p.seed)),
        ("parameters", ", ".join(f"{k} = {trimmed(v, 6)}" for k, v in p.parameters.items())),
        *[(f"calibration {pretty(k)}", f"{v:g}") for k, v in p.calibration.items()],
        ("versions", ", ".join(f"{k} {v}" for k, v in sorted(p.versions.items()))),
    ]
    blocks: list[Block] = [Table(caption="Origin of the card.", header=("what", "value"), rows=rows)]
    if p.plans:
        text = toml_text(json.loads(json.dumps(p.plans)))
        blocks.append(Text(caption="Plans it was calibrated from.", text=text))
    return blocks


def written_range(name: str, low: float, high: float, digits: int = 4) -> str:
    """Two card values with their common unit once: "-0.0001 … 0.0001 threshold/τ"."""
    if name in _FRACTIONS:
        return percents(low, high, digits)
    if name in _UNITS:
        return f"{trimmed(low, digits)} … {trimmed(high, digits)} {_UNITS[name]}".strip()
    scale, unit = prefix_for(np.array([low, high]), unit_of(name))
    return f"{trimmed(low / scale, digits)} … {trimmed(high / scale, digits)} {unit}".strip()


def _label(name: str) -> str:
    return name.replace("_", " ") if name in _UNITS else pretty(name)


def _ranges(card: ModelCard) -> list[tuple[str, str, str]]:
    return [
        (_label(name).removeprefix("valid ").removesuffix(" tau"), written(name, span.low), written(name, span.high))
        for name in type(card).model_fields
        if isinstance(span := getattr(card, name), Range)
    ]


def verification_section(verification: Verification, source: str, anchor: str) -> Section:
    """Verdict, the tests behind it, and every fresh stimulus."""
    unit = "s" if verification.code == "ttfs" else "Hz"

    def value(number: float | None, reason: str = "") -> str:
        return quantity(number, unit) if number is not None else "failed" if reason else "silent"

    columns: list[Column[Stimulus]] = [
        Column("stimulus", "description"),
        Column("simulated", lambda stimulus: value(stimulus.simulated, stimulus.reason)),
        Column("predicted", lambda stimulus: value(stimulus.predicted)),
        Column("error", "error", percent),
        Column("allowed", "allowed", percent),
        Column("outcome", lambda stimulus: "inside" if stimulus.inside else "outside"),
        Column("why it failed", lambda stimulus: stimulus.reason or None),
    ]
    limit = "" if verification.drift_limit is None else f", allowed {percent(verification.drift_limit)}"
    drift = "" if verification.drift is None else f" Common drift {percent(abs(verification.drift))}{limit}."
    verdict = (
        f"The card {'holds' if verification.holds else 'does not hold'}: {verification.outside} of "
        f"{len(verification.stimuli)} fresh stimuli outside what it allows, at most {verification.outside_limit} may be.{drift}"
    )
    blocks = [
        Note(text=verdict, warning=not verification.holds),
        *(Note(text=note) for note in verification.notes),
        table("Fresh stimuli through the netlist, against the card.", columns, verification.stimuli, source=source),
    ]
    return Section(title=f"Verification of the card of {verification.neuron}", anchor=anchor, blocks=blocks)
