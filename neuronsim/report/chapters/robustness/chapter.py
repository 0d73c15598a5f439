"""Sections about robustness studies: each its plot and its tables."""

from __future__ import annotations

from neuronsim.artifacts.robustness_study import Study
from neuronsim.report.page.elements import Block, Note, Picture, Section, Table
from neuronsim.units import quantity

from .plots import PLOTS
from .tables import TITLES, about, tables


def robustness_section(study: Study, source: str, anchor: str) -> Section:
    """Plot and tables of one study, and where its networks come from."""
    blocks: list[Block] = []
    if study.card_edited:
        blocks.append(
            Note(
                text="The card of this study was edited by hand: the circuit did not measure these values.",
                warning=True,
            )
        )
    widths = sorted({n.trained_bits for n in study.networks if n.trained_bits is not None})
    if study.study == "quantization" and not any(n.trained_bits is None for n in study.networks):
        text = (
            'No run kept a full-precision checkpoint: "after training" quantizes the weights behind those trained at '
            f"{', '.join(map(str, widths))} bit."
        )
        blocks.append(Note(text=text))
    blocks.append(Picture(svg=PLOTS[study.study](study), caption=about(study), source=source))
    blocks += tables(study, source)
    rows = [
        (n.label, n.experiment, "full" if n.trained_bits is None else f"{n.trained_bits} bit", str(n.run_seed), n.checkpoint,
         n.checkpoint_sha256[:12], quantity(n.n_weights))
        for n in study.networks
    ]  # fmt: skip
    header = ("network", "experiment", "trained at", "seed", "checkpoint", "sha256", "weights")
    blocks.append(Table(caption="Networks of this study.", header=header, rows=rows, source=source))
    return Section(title=TITLES[study.study], anchor=anchor, blocks=blocks)
