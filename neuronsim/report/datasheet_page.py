"""What stands in the datasheet of a characterized neuron."""

from __future__ import annotations

import json
from pathlib import Path

import xarray as xr

from ..artifacts.abstraction_levels import AbstractionLevels
from ..artifacts.card_base import ModelCard
from ..artifacts.dataset import cell_plans
from ..artifacts.rate_card import RateCard
from ..artifacts.ttfs_card import TTFSCard
from .chapters.abstraction_levels import levels_section
from .chapters.bench import conditions, provenance, status
from .chapters.card import card_section
from .chapters.cells import oscillator_section, synapse_section, thermal_section
from .chapters.circuit import circuit
from .chapters.energy import energy_plan_section, energy_section
from .chapters.error_budget import budget_section
from .chapters.firing_rate import fi_section, interval_jitter_section
from .chapters.mismatch import mismatch_section
from .chapters.operating_points import corners_section
from .chapters.phase_noise import phase_noise_section
from .chapters.ramp import ramp_section
from .chapters.saturation import saturation_section
from .chapters.table3 import table3_section
from .chapters.transfer import transfer_section
from .chapters.waveforms import waveforms
from .page.elements import Page, Section, Source


def measured_sections(dataset: xr.Dataset, source: str, card: ModelCard | None = None) -> list[Section]:
    """The sections of every plan that ``dataset`` holds, in the order from waveform to table 3 and beyond."""
    ttfs_card = card if isinstance(card, TTFSCard) else None
    rate_card = card if isinstance(card, RateCard) else None
    found: list[Section | None] = [waveforms(dataset, source)]
    if dataset.attrs["code"] == "ttfs":
        found += [
            transfer_section(dataset, source),
            budget_section(dataset, source),
            table3_section(dataset, "jitter", source),
            table3_section(dataset, "quantization", source),
            saturation_section(dataset, source),
            ramp_section(dataset, source),
            phase_noise_section(dataset, source, ttfs_card),
        ]
    else:
        found += [fi_section(dataset, source, rate_card), interval_jitter_section(dataset, source, rate_card)]
    found += [
        corners_section(dataset, source),
        mismatch_section(dataset, source),
        energy_plan_section(dataset, source),
        energy_section(dataset, source),
        oscillator_section(dataset, source),
        synapse_section(dataset, source),
        thermal_section(dataset, source),
    ]
    return [section for section in found if section is not None]


def datasheet_page(
    data: xr.Dataset, source: str, digest: str, *, card: ModelCard | None, levels: Path | str | None, beside: Path
) -> Page:
    """The page of ``data`` from the file ``source`` with ``digest`` (both empty: from memory), to lie in folder ``beside``.

    ``card`` and ``levels`` as in :func:`.datasheet.write_datasheet`.
    """
    sections = [
        *filter(None, [circuit(data, source)]),
        conditions(data, source),
        status(data, source),
        *measured_sections(data, source, card),
    ]
    if levels is not None:
        sections.append(levels_section(AbstractionLevels.load(levels).data, str(Source.of(Path(levels), beside))))
    if isinstance(card, TTFSCard | RateCard):
        sections.append(card_section(card, f"model card with digest {card.digest[:12] or 'none'}"))
    sections.append(provenance(data, source, digest))
    attrs = data.attrs
    plans = [*dict.fromkeys(str(name) for name in data["plan"].values), *cell_plans(data)]
    failed = int((data["status"].values != "ok").sum())
    codes = {"ttfs": "time to first spike", "rate": "firing rate"}
    facts = [
        ("code", codes[attrs["code"]]),
        ("engine", f"{attrs['engine']} {attrs['engine_version']}"),
        ("runs", f"{data.sizes['run']} ({failed} failed)"),
        ("plans", ", ".join(plans)),
        ("seed", str(attrs["seed"])),
        ("neuronsim", str(json.loads(attrs["versions"]).get("neuronsim", "–"))),
    ]
    lead = str(
        attrs.get(
            "summary",
            attrs.get("title", "Measured in SPICE; every figure below is computed from the dataset named under it."),
        )
    )
    return Page(
        title=str(attrs["neuron"]),
        kicker="neuron datasheet",
        lead=lead,
        facts=facts,
        sections=sections,
    )
