"""The datasheet of a characterized neuron: one HTML file."""

from __future__ import annotations

import json
from pathlib import Path

import xarray as xr

from .. import dataset as schema
from .. import levels as levels_file
from ..card import ModelCard, RateCard, TTFSCard
from ..errors import InputError
from .blocks import Page, Section, Source
from .render import write_page
from .sections_bench import circuit, conditions, provenance, status, waveforms
from .sections_budget import budget_section
from .sections_card import card_section
from .sections_cells import oscillator_section, synapse_section, thermal_section
from .sections_levels import levels_section
from .sections_mismatch import mismatch_section
from .sections_points import corners_section, energy_plan_section
from .sections_rate import fi_section, interval_jitter_section
from .sections_sweeps import energy_section, phase_noise_section, ramp_section, saturation_section
from .sections_ttfs import table3_section, transfer_section
from .unchanged import digest_of, is_made_from


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


def levels_near(dataset: Path, neuron: str) -> Path | None:
    """``levels.nc`` (of 'neuronsim compare') in the folder of the file ``dataset`` or the one above, if ``neuron`` is in it."""
    for folder in (dataset.resolve().parent, dataset.resolve().parent.parent):
        path = folder / "levels.nc"
        if path.is_file() and neuron in levels_file.load(path)["level"].values:
            return path
    return None


def write_datasheet(
    dataset: xr.Dataset | Path | str,
    out: Path | str,
    *,
    card: ModelCard | None = None,
    levels: Path | str | None = None,
) -> Path:
    """Write the datasheet of ``dataset`` (a dataset in memory or its netCDF file) as self-contained HTML to ``out``.

    ``card``: its model card, drawn over the measured values where both speak of the same thing, and listed.
    ``levels``: a levels file ('neuronsim compare'), shown as a section. Returns ``out``. The same input gives the same bytes;
    a page at ``out`` that was made from the same files is left as it is.

    Raises InputError when there is no such file or the card is of another neuron or code, DataError when the dataset is
    corrupt or of another schema, OutputError when ``out`` cannot be written.
    """
    out = Path(out)
    source, digest, made_from = "", "", ""
    if isinstance(dataset, xr.Dataset):
        data = schema.check(dataset)
    else:
        path = Path(dataset)
        if path.is_file():
            origin = Source.of(path, out.parent)
            source, digest = str(origin), origin.sha256
            above = "" if levels is None else str(Source.of(Path(levels), out.parent))
            made_from = digest_of([source, digest, above, "" if card is None else card.model_dump_json()])
            if is_made_from(out, made_from):
                return out
        data = schema.load(path)
    if card is not None:
        check_card(card, data)
    sections = [
        *filter(None, [circuit(data, source)]),
        conditions(data, source),
        status(data, source),
        *measured_sections(data, source, card),
    ]
    if levels is not None:
        sections.append(levels_section(levels_file.load(levels), str(Source.of(Path(levels), out.parent))))
    if isinstance(card, TTFSCard | RateCard):
        sections.append(card_section(card, f"model card with digest {card.digest[:12] or 'none'}"))
    sections.append(provenance(data, source, digest))
    return write_page(_page(data, sections, made_from), out)


def check_card(card: ModelCard, dataset: xr.Dataset) -> None:
    """Raise InputError when ``card`` is not one of the neuron in ``dataset``."""
    code = getattr(card, "code", None)
    if card.neuron != dataset.attrs["neuron"] or code != dataset.attrs["code"]:
        raise InputError(
            f"the card is of neuron '{card.neuron}' ({code}), the dataset of '{dataset.attrs['neuron']}' "
            f"({dataset.attrs['code']}): give the card that was calibrated from this dataset"
        )


def _page(data: xr.Dataset, sections: list[Section], made_from: str) -> Page:
    attrs = data.attrs
    plans = [*dict.fromkeys(str(name) for name in data["plan"].values), *schema.cell_plans(data)]
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
        made_from=made_from,
    )
