"""What stands in the datasheet of a characterized neuron."""

import json
from collections.abc import Iterator
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
from .chapters.circuit import budget_section, circuit
from .chapters.energy import energy_plan_section, energy_section
from .chapters.firing_rate import fi_section, interval_jitter_section
from .chapters.mismatch import mismatch_section
from .chapters.operating_points import corners_section
from .chapters.phase_noise import phase_noise_section
from .chapters.sweeps import ramp_section, saturation_section
from .chapters.table3 import table3_section
from .chapters.transfer import transfer_section
from .chapters.waveforms import waveforms
from .page.elements import Page, Section, Source


def measured_sections(dataset: xr.Dataset, source: str, card: ModelCard | None = None) -> Iterator[Section | None]:
    """The sections of every plan of ``dataset``, in the order from waveform to table 3 and beyond; None: the plan was not run."""
    yield waveforms(dataset, source)
    if dataset.attrs["code"] == "ttfs":
        yield transfer_section(dataset, source)
        yield budget_section(dataset, source)
        yield table3_section(dataset, "jitter", source)
        yield table3_section(dataset, "quantization", source)
        yield saturation_section(dataset, source)
        yield ramp_section(dataset, source)
        yield phase_noise_section(dataset, source, card if isinstance(card, TTFSCard) else None)
    else:
        for section in (fi_section, interval_jitter_section):
            yield section(dataset, source, card if isinstance(card, RateCard) else None)
    for section in (corners_section, mismatch_section, energy_plan_section, energy_section):
        yield section(dataset, source)
    for section in (oscillator_section, synapse_section, thermal_section):
        yield section(dataset, source)


def datasheet_page(
    data: xr.Dataset, source: str, digest: str, *, card: ModelCard | None, levels: Path | str | None, beside: Path
) -> Page:
    """The page of ``data`` from the file ``source`` with ``digest`` (both empty: from memory), to lie in folder ``beside``.

    ``card`` and ``levels`` as in :func:`.datasheet.write_datasheet`.
    """
    sections = [
        circuit(data, source),
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
    lead = "Measured in SPICE; every figure below is computed from the dataset named under it."
    return Page(
        title=str(attrs["neuron"]),
        kicker="neuron datasheet",
        lead=str(attrs.get("summary", attrs.get("title", lead))),
        facts=facts,
        sections=[section for section in sections if section is not None],
    )
