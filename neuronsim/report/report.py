"""The report: all artifacts of a folder bound into one HTML file, with the figures a reader looks for first."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..artifacts.base import Artifact, read_json
from ..artifacts.catalogue import kind_of
from ..artifacts.dataset import Characterization
from ..artifacts.evaluation import Condition, Evaluation
from ..artifacts.rate_card import RateCard
from ..artifacts.ttfs_card import TTFSCard
from ..errors import InputError
from ..units import accuracies, accuracy, percent, quantity
from .contents import CHAPTERS, Item
from .page.columns import Column, table
from .page.elements import Block, Note, Page, Section, Source, Table, Tiles
from .page.render import write_page


def discover(folder: Path | str, *, on_skip: Callable[[Path], Any] = lambda path: None) -> tuple[Path, ...]:
    """Files of artifacts in ``folder`` and below it, sorted by path; hidden folders and other JSON files are passed over.

    ``on_skip`` is told of JSON files with a schema version but no known kind, such as those of an earlier version.

    Raises InputError when there is no such folder or nothing in it to report, DataError naming a corrupt JSON file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"no folder at {folder}: give the one that holds datasets, cards, training runs or evaluations"
        )
    visible = (
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".nc", ".json") and path.is_file() and not _hidden(path.relative_to(folder))
    )
    files = []
    for path in visible:
        if kind_of(path) in CHAPTERS or path.suffix == ".nc":
            files.append(path)
        elif "schema_version" in read_json(path) or path.name == "run.json":
            on_skip(path)
    if not files:
        raise InputError(
            f"nothing to report in {folder}: it holds no dataset (*.nc), model card, training run or evaluation. "
            "Run 'neuronsim characterize', 'calibrate', 'train' or 'evaluate' with --out in it first"
        )
    return tuple(files)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def write_report(out: Path | str, files: Sequence[Path | str], *, title: str = "From waveform to accuracy") -> Path:
    """Write one self-contained HTML file that follows the chain: circuit, card, training, accuracy under the card.

    ``files``: artifacts of any kind (see :func:`discover`), a training run by its folder or its run.json. Every figure and
    table names its file and the first 12 digits of the file's SHA-256; paths are relative to the folder of ``out``. The same
    files give the same bytes. Returns ``out``.

    Raises InputError when nothing is given or a file is missing, DataError naming a corrupt file, OutputError when
    ``out`` cannot be written.
    """
    out = Path(out)
    if not files:
        raise InputError("nothing to report: give at least one dataset, model card, training run, evaluation or study")
    paths = [path / "run.json" if path.is_dir() else path for path in map(Path, files)]
    items = [Item.of(path, out.parent, number) for number, path in enumerate(paths)]
    return write_page(_page(items, title), out)


def _page(items: Sequence[Item], title: str) -> Page:
    summary: list[Block] = [*headline([item.artifact for item in items]), *_chain(items)]
    rank = {kind: position for position, kind in enumerate(CHAPTERS)}
    with_chapter = [item for item in items if item.kind in rank]
    with_chapter.sort(key=lambda item: (rank[item.kind], *item.artifact.order(item.path)))
    chapters = [section for item in with_chapter for section in CHAPTERS[item.kind](item, items)]
    sections = [
        *([Section(title="In short", anchor="headline", blocks=summary)] if summary else []),
        *(section for section in chapters if not section.appendix),
        *(section for section in chapters if section.appendix),
        Section(
            title="Files",
            anchor="files",
            blocks=[_files(items)],
            intro="Every number above is computed from these files. Equal files give an equal report.",
        ),
    ]
    facts: dict[str, dict[str, None]] = {}
    for item in items:
        for what, names in item.artifact.names().items():
            facts.setdefault(what, {}).update(dict.fromkeys(names))
    lead = (
        "What a neuron circuit does in SPICE, the model card calibrated from it, and what that card does to a network."
    )
    return Page(
        title=title,
        kicker="neuronsim report",
        lead=lead,
        facts=[(what, ", ".join(names)) for what, names in facts.items()],
        sections=sections,
    )


def _chain(items: Sequence[Item]) -> list[Block]:
    """What was made from what, and a warning where that is none of the files of its kind in this report."""
    rows, broken = [], False
    nouns = {item.artifact.noun for item in items}
    by_content = {
        (item.artifact.noun, item.artifact.content_digest()): item.sources[0].path for item in reversed(items)
    }
    for item in items:
        for noun, digest in item.artifact.made_from():
            # only what is no artifact, such as a checkpoint, is searched for among the files beside them
            origin = by_content.get((noun, digest)) if noun in nouns else _file_beside(items, digest)
            link = (
                (f"{noun} {digest[:12]}", "not among the files of this report")
                if origin is None
                else (origin, "same digest")
            )
            rows.append((item.sources[0].path, *link))
            broken |= origin is None and noun in nouns
    blocks: list[Block] = []
    if rows:
        header = ("file", "made from", "checked")
        blocks.append(Table(caption="What was made from what, checked by digest.", header=header, rows=rows))
    if broken:
        text = "Some files here were not made from the others shown: see the table above."
        blocks.append(Note(text=text, warning=True))
    return blocks


def _file_beside(items: Sequence[Item], digest: str) -> str | None:
    """Path, as the page names it, of the file beside an artifact that has that SHA-256."""
    for item in items:
        beside = item.artifact.provides(item.path, digest)
        if beside is not None:
            return (Path(item.sources[0].path).parent / beside.relative_to(item.path.parent)).as_posix()
    return None


def _files(items: Sequence[Item]) -> Table:
    files: list[tuple[Source, str]] = [(source, item.artifact.noun) for item in items for source in item.sources]
    columns: list[Column[tuple[Source, str]]] = [
        Column("path", lambda file: file[0].path),
        Column("what", lambda file: file[1]),
        Column("sha256", lambda file: file[0].sha256),
    ]
    return table("Files of this report.", columns, files)


Tile = tuple[str, str, str]
_CONDITIONS = {
    "clean": "accuracy, clean",
    "quantized": "accuracy, {bits}-bit weights",
    "card": "accuracy under the card",
}


_CARD_ONLY = (
    "Accuracy under the card is a statement about the model card, not yet about the circuit: the card leaves out effects of "
    "the circuit (docs/measured.md lists them), and no network has been run in SPICE to confirm it."
)


def headline(artifacts: Sequence[Artifact]) -> list[Tiles | Note]:
    """Tiles: accuracy per condition (clean, quantized, card), held-out error of each card, number of SPICE runs."""
    datasets = [artifact.data for artifact in artifacts if isinstance(artifact, Characterization)]
    cards = [artifact for artifact in artifacts if isinstance(artifact, TTFSCard | RateCard)]
    evaluations = [artifact for artifact in artifacts if isinstance(artifact, Evaluation)]
    blocks: list[Tiles | Note] = []
    for e in evaluations:
        known = {c.name: c for c in e.conditions}
        tiles = [_accuracy(known[name], label) for name, label in _CONDITIONS.items() if name in known]
        if len(evaluations) > 1:
            blocks.append(Note(text=f"{e.experiment}, {e.n_images} images of {e.data}"))
        if tiles:
            blocks.append(Tiles(items=tiles))
        if "card" in known:
            blocks.append(Note(text=_CARD_ONLY))
    circuit = [tile for card in cards for tile in _card(card, f" ({card.neuron})" if len(cards) > 1 else "")]
    if datasets:
        total = sum(int(data.sizes["run"]) for data in datasets)
        failed = sum(int((data["status"].values != "ok").sum()) for data in datasets)
        neurons = ", ".join(dict.fromkeys(str(data.attrs["neuron"]) for data in datasets))
        circuit.append(("SPICE runs", f"{total:,}".replace(",", " "), f"{neurons}; {failed} failed"))
    return [*blocks, Tiles(items=circuit)] if circuit else blocks


def _card(card: TTFSCard | RateCard, name: str) -> list[Tile]:
    q = card.quality
    detail = f"median; p95 {percent(q.p95_error)} over {q.n_held_out} runs not used in the fit"
    tiles = [(f"held-out error of the card{name}", percent(q.median_error), detail)]
    if card.energy is not None:
        energy = quantity(card.energy.per_spike_j.value, "J")
        tiles.append((f"energy per spike{name}", energy, "from the supplies in SPICE"))
    return tiles


def _accuracy(condition: Condition, label: str) -> Tile:
    if condition.low is None:
        interval = "one chip: no interval"
    else:
        interval = f"95 % interval {accuracies(condition.low, condition.high)}"
        chips = len(condition.per_chip)
        interval += f"; {chips} chips, worst {accuracy(condition.worst)}" if chips > 1 else ""
    return label.format(bits=condition.bits), accuracy(condition.accuracy), interval
