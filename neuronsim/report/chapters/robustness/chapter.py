"""Robustness studies: each its plot and tables, and where its networks come from."""

from collections.abc import Callable

from neuronsim.artifacts.robustness_study import Origin, Study
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Note, Table
from neuronsim.report.page.study import Plot, StudyReport
from neuronsim.units import quantity

from .card import card_plot, card_tables
from .energy import energy_plot, energy_tables
from .levels import (
    jitter_plot,
    jitter_tables,
    quantization_notes,
    quantization_plot,
    quantization_tables,
    snr_plot,
    snr_tables,
)

# kind -> (title, tables, plot)
_SUBJECTS: dict[str, tuple[str, Callable[[Study], list[Table]], Callable[[Study], str]]] = {
    "quantization": ("Accuracy with b-bit weights", quantization_tables, quantization_plot),
    "snr": ("Accuracy under weight noise", snr_tables, snr_plot),
    "jitter": ("Accuracy under spike-time jitter", jitter_tables, jitter_plot),
    "card": ("Accuracy on chips of the card", card_tables, card_plot),
    "energy": ("Energy per inference", energy_tables, energy_plot),
}
_NETWORKS: list[Column[Origin]] = [
    Column("network", "label"),
    Column("experiment", "experiment"),
    Column("trained at", lambda n: "full" if n.trained_bits is None else f"{n.trained_bits} bit"),
    Column("seed", "run_seed"),
    Column("checkpoint", "checkpoint"),
    Column("sha256", "checkpoint_sha256", lambda digest: digest[:12]),
    Column("weights", "n_weights", quantity),
]


def robustness_report(study: Study) -> StudyReport:
    """Plot, tables and points of one study; the first table is the main one."""
    title, tables, plot = _SUBJECTS[study.study]
    notes = quantization_notes(study) if study.study == "quantization" else []
    if study.card_edited:
        text = "The card of this study was edited by hand: the circuit did not measure these values."
        notes.insert(0, Note(text=text, warning=True))
    rows = [entry.model_dump() for entry in (study.energy if study.study == "energy" else study.points)]
    about = _about(study)
    return StudyReport(
        study=study,
        name=study.study,
        title=title,
        about=about,
        plots=[Plot(name=study.study, draw=plot, caption=about)],
        tables=tables(study),
        rows=[{k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()} for row in rows],
        notes=notes,
        appendix=[table("Networks of this study.", _NETWORKS, study.networks)],
    )


def _about(study: Study) -> str:
    """Images, seed, card, and what the levels are."""
    card = f", card of {study.card}{' (edited by hand)' if study.card_edited else ''}" if study.card else ""
    what = study.definition[:1].upper() + study.definition[1:]
    return f"{study.n_images} test images of {study.data_source}, seed {study.seed}{card}. {what}."
