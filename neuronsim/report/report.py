"""The report: datasets, cards, training runs and evaluations bound into one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import xarray as xr

from ..artifacts import abstraction_levels as levels_file
from ..artifacts import dataset as schema
from ..artifacts.atomic_write import sha256_file
from ..artifacts.card_base import ModelCard
from ..artifacts.conversion_study import ConversionStudy
from ..artifacts.evaluation import Evaluation
from ..artifacts.noisy_weights_study import NoisyWeights
from ..artifacts.rate_card import RateCard
from ..artifacts.robustness_study import KINDS, Study
from ..artifacts.training_run import Run, load_run
from ..artifacts.ttfs_card import TTFSCard
from ..errors import InputError
from .chapters.abstraction_levels import levels_section
from .chapters.bench import conditions, provenance, status
from .chapters.card import card_section
from .chapters.conversion.chapter import conversion_section
from .chapters.headline import headline
from .chapters.noisy_weights.chapter import noisy_weights_section
from .chapters.robustness.chapter import robustness_section
from .chapters.training import evaluation_section, training_section
from .datasheet_page import measured_sections
from .page.elements import Block, Note, Page, Section, Source, Table
from .page.render import write_page

Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Everything a report shows, read and checked, each with the file it came from."""

    datasets: tuple[tuple[xr.Dataset, Source], ...]
    cards: tuple[tuple[TTFSCard | RateCard, Source], ...]
    runs: tuple[tuple[Run, tuple[Source, ...]], ...]
    evaluations: tuple[tuple[Evaluation, Source], ...]
    studies: tuple[tuple[Study, Source], ...]
    levels: tuple[tuple[xr.Dataset, Source], ...]
    conversions: tuple[tuple[ConversionStudy, Source], ...]
    noisy_weights: tuple[tuple[NoisyWeights, Source], ...]


def write_report(
    out: Path | str,
    *,
    datasets: Sequence[Path | str] = (),
    cards: Sequence[Path | str] = (),
    runs: Sequence[Path | str] = (),
    evaluations: Sequence[Path | str] = (),
    studies: Sequence[Path | str] = (),
    levels: Sequence[Path | str] = (),
    conversions: Sequence[Path | str] = (),
    noisy_weights: Sequence[Path | str] = (),
    title: str = "From waveform to accuracy",
) -> Path:
    """Write one self-contained HTML file that follows the chain: circuit, card, training, accuracy under the card.

    ``datasets`` and ``levels``: netCDF files; ``cards``, ``evaluations``, ``studies`` (robustness), ``conversions`` and
    ``noisy_weights``: JSON files; ``runs``: training folders (see :func:`neuronsim.report.discover`). Every figure and table
    names its file and the first 12 digits of the file's SHA-256; paths are relative to the folder of ``out``. The same files
    give the same bytes. Returns ``out``.

    Raises InputError when nothing is given or a file is missing, DataError naming a corrupt file, OutputError when
    ``out`` cannot be written.
    """
    out = Path(out)
    if not (datasets or cards or runs or evaluations or studies or levels or conversions or noisy_weights):
        raise InputError("nothing to report: give at least one dataset, model card, training run, evaluation or study")
    base = out.parent
    loaded = Loaded(
        datasets=_loaded(schema.load, datasets, base),
        cards=_loaded(ModelCard.load, cards, base),
        runs=tuple((run, tuple(Source.of(file, base) for file in run.files)) for run in map(load_run, runs)),
        evaluations=_loaded(Evaluation.load, evaluations, base),
        studies=_loaded(Study.load, studies, base),
        levels=_loaded(levels_file.load, levels, base),
        conversions=_loaded(ConversionStudy.load, conversions, base),
        noisy_weights=_loaded(NoisyWeights.load, noisy_weights, base),
    )
    return write_page(_page(loaded, title), out)


def _loaded(
    load: Callable[[Path], Content], paths: Sequence[Path | str], base: Path
) -> tuple[tuple[Content, Source], ...]:
    """What each file holds, and where it came from."""
    return tuple((load(path), Source.of(path, base)) for path in map(Path, paths))


def _page(loaded: Loaded, title: str) -> Page:
    sections = [Section(title="In short", anchor="headline", blocks=_summary(loaded))]
    appendix: list[Section] = []
    # The spike-time neurons lead: networks are trained on them.
    ordered = sorted(loaded.datasets, key=lambda pair: pair[0].attrs["code"] != "ttfs")
    for index, (data, source) in enumerate(ordered):
        card = next(
            (c for c, _ in loaded.cards if (c.neuron, c.code) == (data.attrs["neuron"], data.attrs["code"])), None
        )
        origin = str(source)
        shown = [conditions(data, origin), *measured_sections(data, origin, card)]
        sections += [_of_dataset(section, data, index, len(loaded.datasets) > 1) for section in shown]
        shown = [status(data, origin), provenance(data, origin, source.sha256)]
        appendix += [_of_dataset(section, data, index, len(loaded.datasets) > 1) for section in shown]
    sections += [levels_section(data, str(source), f"levels{i}") for i, (data, source) in enumerate(loaded.levels)]
    sections += [card_section(card, str(source), f"card{i}") for i, (card, source) in enumerate(loaded.cards)]
    for i, (run, sources) in enumerate(loaded.runs):
        sections.append(training_section(run, run.folder.resolve().name, ", ".join(map(str, sources)), f"run{i}"))
    sections += [
        evaluation_section(e, str(source), f"evaluation{i}") for i, (e, source) in enumerate(loaded.evaluations)
    ]
    sections += [
        robustness_section(study, str(source), f"study{i}") for i, (study, source) in enumerate(_ordered(loaded))
    ]
    sections += [
        conversion_section(study, str(source), f"conversion{i}") for i, (study, source) in enumerate(loaded.conversions)
    ]
    sections += [
        noisy_weights_section(study, str(source), f"noisy-weights{i}")
        for i, (study, source) in enumerate(loaded.noisy_weights)
    ]
    sections += appendix
    sections.append(
        Section(
            title="Files",
            anchor="files",
            blocks=[_files(loaded)],
            intro=("Every number above is computed from these files. Equal files give an equal report."),
        )
    )
    neurons = dict.fromkeys([d.attrs["neuron"] for d, _ in loaded.datasets] + [c.neuron for c, _ in loaded.cards])
    experiments = dict.fromkeys(e.experiment for e, _ in loaded.evaluations)
    experiments |= dict.fromkeys(network.experiment for study, _ in loaded.studies for network in study.networks)
    experiments |= dict.fromkeys(study.experiment for study, _ in loaded.conversions)
    facts = [("neurons", ", ".join(neurons)), ("experiments", ", ".join(experiments))]
    lead = (
        "What a neuron circuit does in SPICE, the model card calibrated from it, and what that card does to a network."
    )
    return Page(title=title, kicker="neuronsim report", lead=lead, facts=[f for f in facts if f[1]], sections=sections)


def _ordered(loaded: Loaded) -> list[tuple[Study, Source]]:
    """Folder by folder, the studies of each in the order of their kinds."""
    return sorted(loaded.studies, key=lambda pair: (Path(pair[1].path).parent, KINDS.index(pair[0].kind)))


def _of_dataset(section: Section, data: xr.Dataset, index: int, named: bool) -> Section:
    """The section with an anchor of its own and, among several datasets, the neuron's name."""
    name = f"{data.attrs['neuron']}: " if named else ""
    title, short = f"{name}{section.title}", f"{name}{section.short or section.title}"
    return replace(section, title=title, short=short, anchor=f"dataset{index}-{section.anchor}")


def _summary(loaded: Loaded) -> list[Block]:
    tiles = headline([d for d, _ in loaded.datasets], [c for c, _ in loaded.cards], [e for e, _ in loaded.evaluations])
    blocks: list[Block] = list(tiles)
    rows, broken = _chain(loaded)
    if rows:
        blocks.append(
            Table(
                caption="What was made from what, checked by digest.",
                header=("file", "made from", "checked"),
                rows=rows,
            )
        )
    if broken:
        blocks.append(
            Note(text="Some files here were not made from the others shown: see the table above.", warning=True)
        )
    return blocks


def _chain(loaded: Loaded) -> tuple[list[tuple[str, str, str]], bool]:
    """Rows (file, made from, checked), and whether a link that could be checked does not hold."""
    rows, broken = [], False
    for card, source in loaded.cards:
        origin = next((s.path for _, s in loaded.datasets if s.sha256 == card.provenance.dataset_sha256), None)
        rows.append(_link(source.path, origin, "dataset", card.provenance.dataset_sha256))
        broken |= origin is None and bool(loaded.datasets)
    for run, sources in loaded.runs:
        digest = run.about.get("card_digest")
        if isinstance(digest, str):
            origin = _card(loaded, digest)
            rows.append(_link(sources[0].path, origin, "card", digest))
            broken |= origin is None and bool(loaded.cards)
    for e, source in loaded.evaluations:
        if e.card_digest:
            origin = _card(loaded, e.card_digest)
            rows.append(_link(source.path, origin, "card", e.card_digest))
            broken |= origin is None and bool(loaded.cards)
        origin = _checkpoint(loaded, e.checkpoint_sha256, source)
        rows.append(_link(source.path, origin, "checkpoint", e.checkpoint_sha256))
    for study, source in loaded.studies:
        if study.card_digest:
            origin = _card(loaded, study.card_digest)
            rows.append(_link(source.path, origin, "card", study.card_digest))
            broken |= origin is None and bool(loaded.cards)
        for network in study.networks:
            origin = _checkpoint(loaded, network.checkpoint_sha256, source)
            rows.append(_link(source.path, origin, "checkpoint", network.checkpoint_sha256))
    return rows, broken


def _link(path: str, origin: str | None, what: str, digest: str) -> tuple[str, str, str]:
    if origin is None:
        return path, f"{what} {digest[:12]}", "not among the files of this report"
    return path, origin, "same digest"


def _card(loaded: Loaded, digest: str) -> str | None:
    """Path of the card with that content."""
    return next((source.path for card, source in loaded.cards if card.content_digest() == digest), None)


def _checkpoint(loaded: Loaded, digest: str, near: Source) -> str | None:
    """Path of the checkpoint with that digest inside one of the run folders."""
    for run, sources in loaded.runs:
        for path in sorted(
            p for p in run.folder.rglob("*") if p.suffix in (".ckpt", ".safetensors", ".pt") and p.is_file()
        ):
            if sha256_file(path) == digest:
                folder = Path(sources[0].path).parent
                return (folder / path.relative_to(run.folder)).as_posix()
    return None


def _files(loaded: Loaded) -> Table:
    rows = [(s.path, "dataset", s.sha256) for _, s in loaded.datasets] + [
        (s.path, "model card", s.sha256) for _, s in loaded.cards
    ]
    rows += [(s.path, "training run", s.sha256) for _, sources in loaded.runs for s in sources]
    rows += [(s.path, "evaluation", s.sha256) for _, s in loaded.evaluations]
    rows += [(s.path, "robustness study", s.sha256) for _, s in loaded.studies]
    rows += [(s.path, "levels of a neuron", s.sha256) for _, s in loaded.levels]
    rows += [(s.path, "conversion study", s.sha256) for _, s in loaded.conversions]
    rows += [(s.path, "reproduction", s.sha256) for _, s in loaded.noisy_weights]
    return Table(caption="Files of this report.", header=("path", "what", "sha256"), rows=rows)
