"""Section of a model card: every value with its interval, what could not be fitted, and how well it predicts."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping

import numpy as np
from pydantic import BaseModel

from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.card_parts import Quality, Range
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.statistics.estimate import Estimate
from neuronsim.units import percent, percents, prefix_for, pretty, quantity, significant, trimmed, unit_of

from ..page.elements import Block, Note, Section, Table, Text
from .bench import toml_text

_FRACTIONS = {"mismatch_sigma", "gain_sigma", "isi_jitter", "threshold_mismatch", "missing_probability"}
_UNITS = {
    "ramp_per_tau": "threshold/τ",
    "ramp_sigma_per_tau": "threshold/τ",
    "xor_limit_weight": "unit weights",
    "sigma_v": "threshold",
    "diffusion_v": "threshold/√τ",
    "loop_v": "threshold/√τ",
    "second_pole_ratio": "",
    "gain": "",
    "valid_time_tau": "τ",
    "valid_weight": "",
    "valid_inputs": "",
}
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


def shown(name: str, value: float, digits: int = 4) -> str:
    """One card value with its unit, by the name of its field."""
    if name in _FRACTIONS:
        return percent(value, digits)
    if name in _UNITS:
        return f"{trimmed(value, digits)} {_UNITS[name]}".strip()
    return quantity(value, unit_of(name), digits)


def card_section(card: TTFSCard | RateCard, source: str, anchor: str = "card") -> Section:
    """The whole card as tables."""
    blocks: list[Block] = []
    if card.edited:
        blocks.append(
            Note(
                text='This card was edited by hand (digest "unsigned"): its values are not what calibration found.',
                warning=True,
            )
        )
    rows: list[tuple[str, ...]] = []
    for field, info in type(card).model_fields.items():
        value = getattr(card, field)
        if isinstance(value, Estimate):
            rows.append(("", *_estimate(field, value, field not in card.not_fitted), info.description or ""))
        elif field in _GROUPS and value is None:
            rows.append((_GROUPS[field], "", "none", "", info.description or ""))
        elif field in _GROUPS and isinstance(value, BaseModel):
            rows += _part(_GROUPS[field], value, {n.removeprefix(f"{field}.") for n in card.not_fitted})
    blocks.append(
        Table(
            caption="Calibrated values with their 95 % confidence intervals.",
            source=source,
            rows=rows,
            header=("group", "value", "estimate", "95 % interval", "meaning"),
        )
    )
    q = card.quality
    blocks.append(
        Table(
            caption="Prediction of runs that were not used in the fit.",
            source=source,
            rows=[
                (
                    str(q.n_fit),
                    str(q.n_held_out),
                    percent(q.median_error),
                    percent(q.p95_error),
                    percent(q.spike_agreement, 4),
                )
            ],
            header=("runs fitted", "runs held out", "median error", "p95 error", "spike / no-spike agreement"),
        )
    )
    judged = _judged(q)
    if judged:
        blocks.append(
            Table(
                caption=_JUDGED[card.code],
                header=("what", "value", "95 % interval", "runs"),
                rows=judged,
                source=source,
            )
        )
    if card.not_fitted:
        blocks.append(
            Table(
                caption="Not fitted, and why.",
                header=("value", "reason"),
                rows=sorted(card.not_fitted.items()),
                source=source,
            )
        )
    blocks.append(
        Table(
            caption="The card holds within these ranges.",
            header=("range", "from", "to"),
            rows=_ranges(card),
            source=source,
        )
    )
    p = card.provenance
    origin = [
        ("digest", card.digest),
        ("dataset digest", p.dataset_digest),
        ("netlist sha256", p.netlist_sha256),
        ("engine", f"{p.engine} {p.engine_version}"),
        ("seed", str(p.seed)),
        ("parameters", ", ".join(f"{k} = {trimmed(v, 6)}" for k, v in p.parameters.items())),
        *[(f"calibration {pretty(k)}", f"{v:g}") for k, v in p.calibration.items()],
        ("versions", ", ".join(f"{k} {v}" for k, v in sorted(p.versions.items()))),
    ]
    blocks.append(Table(caption="Origin of the card.", header=("what", "value"), rows=origin, source=source))
    if p.plans:
        blocks.append(
            Text(
                caption="Plans it was calibrated from.", text=toml_text(json.loads(json.dumps(p.plans))), source=source
            )
        )
    return Section(
        title=f"Model card of {card.neuron} ({card.code})", short=f"Card of {card.neuron}", anchor=anchor, blocks=blocks
    )


def _judged(q: Quality) -> list[tuple[str, str, str, str]]:
    """Rows of what older cards do not hold."""
    rows = []
    for label, value in (
        ("median over max(1 %, half a sampling period)", q.median_over_target),
        ("p95 over max(3 %, a sampling period)", q.p95_over_target),
    ):
        if value is not None:
            rows.append((label, trimmed(value, 3), "", str(q.n_compared)))
    if q.bias is not None and q.spread is not None:
        signed = f"{percent(q.bias)} ± {percent(q.spread)}"
        rows.append(("signed error, clipped to ±p95: mean ± standard deviation", signed, "", str(q.n_compared)))
    for label, share, count in (
        (
            "interval jitter, |predicted over measured − 1| at other currents, median",
            q.isi_jitter_error,
            q.n_isi_jitter,
        ),
        ("interval jitter, without noise over with it, largest (the deck's floor)", q.isi_jitter_floor, None),
        ("rate of mismatched chips, |error| at other currents, median", q.threshold_mismatch_error, None),
    ):
        if share is not None:
            rows.append((label, percent(share), "", "" if count is None else f"{count} currents"))
    if q.coverage is not None:
        c, of = q.coverage, "under temporal noise" if q.coverage_of == "noisy" else "noise-free"
        rows.append(
            (
                f"runs within the predicted 90 % interval ({of})",
                percent(c.value),
                percents(c.low, c.high),
                str(q.n_coverage),
            )
        )
    if q.sigma_over_predicted is not None:
        s = q.sigma_over_predicted
        ends = f"{significant(s.low, 3)} … {significant(s.high, 3)}"
        rows.append(("spread under temporal noise, simulated over predicted", significant(s.value, 3), ends, ""))
    return rows


def shown_range(name: str, low: float, high: float, digits: int = 4) -> str:
    """Two card values with their common unit once: "-0.0001 … 0.0001 threshold/τ"."""
    if name in _FRACTIONS:
        return percents(low, high, digits)
    if name in _UNITS:
        return f"{trimmed(low, digits)} … {trimmed(high, digits)} {_UNITS[name]}".strip()
    scale, unit = prefix_for(np.array([low, high]), unit_of(name))
    return f"{trimmed(low / scale, digits)} … {trimmed(high / scale, digits)} {unit}".strip()


def _estimate(name: str, value: Estimate, fitted: bool) -> tuple[str, str, str]:
    if not fitted:
        return _label(name), shown(name, value.value) if value.value else "–", "not fitted"
    exact = value.low == value.high
    digits = 4
    if not exact:  # enough for the ends of a narrow interval to differ
        wanted = 2 + math.ceil(math.log10(max(abs(value.low), abs(value.high)) / (value.high - value.low)))
        digits = min(max(digits, wanted), 9)
    interval = "exact" if exact else shown_range(name, value.low, value.high, digits)
    return _label(name), shown(name, value.value, digits), interval


def _label(name: str) -> str:
    return name.replace("_", " ") if name in _UNITS else pretty(name)


def _part(group: str, part: BaseModel, not_fitted: Collection[str]) -> list[tuple[str, ...]]:
    rows = []
    for index, (name, info) in enumerate(type(part).model_fields.items()):
        value, label = getattr(part, name), group if index == 0 else ""
        if value is None:
            rows.append((label, _label(name), "not fitted", "", info.description or ""))
        else:
            rows.append((label, *_estimate(name, value, name not in not_fitted), info.description or ""))
    return rows


def _ranges(card: ModelCard) -> list[tuple[str, str, str]]:
    found: Mapping[str, object] = {name: getattr(card, name) for name in type(card).model_fields}
    return [
        (_label(n).removeprefix("valid ").removesuffix(" tau"), shown(n, r.low), shown(n, r.high))
        for n, r in found.items()
        if isinstance(r, Range)
    ]
