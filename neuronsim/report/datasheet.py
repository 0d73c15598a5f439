"""The datasheet of a characterized neuron: one HTML file, drawn where it is not there yet."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import xarray as xr

from ..artifacts.abstraction_levels import AbstractionLevels
from ..artifacts.card_base import ModelCard
from ..artifacts.dataset import Characterization
from ..errors import DataError, InputError
from .page.elements import Source
from .page.unchanged import digest_of, is_made_from


def levels_near(dataset: Path, neuron: str) -> Path | None:
    """``levels.nc`` (of 'neuronsim compare') in the folder of the file ``dataset`` or the one above, if ``neuron`` is in it.

    A file that cannot be read, such as one of an earlier version, counts as none: the datasheet can do without.
    """
    for folder in (dataset.resolve().parent, dataset.resolve().parent.parent):
        path = folder / "levels.nc"
        with suppress(DataError):
            if path.is_file() and neuron in AbstractionLevels.load(path).data["level"].values:
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
        data = Characterization.check(dataset)
    else:
        path = Path(dataset)
        if path.is_file():
            origin = Source.of(path, out.parent)
            source, digest = str(origin), origin.sha256
            above = "" if levels is None else str(Source.of(Path(levels), out.parent))
            made_from = digest_of([source, digest, above, "" if card is None else card.model_dump_json()])
            if is_made_from(out, made_from):
                return out
        data = Characterization.load(path).data
    if card is not None:
        check_card(card, data)
    from .datasheet_page import datasheet_page  # the plots: nothing that an unchanged page should wait for
    from .page.render import write_page

    page = datasheet_page(data, source, digest, card=card, levels=levels, beside=out.parent)
    return write_page(replace(page, made_from=made_from), out)


def check_card(card: ModelCard, dataset: xr.Dataset) -> None:
    """Raise InputError when ``card`` is not one of the neuron in ``dataset``."""
    code = getattr(card, "code", None)
    if card.neuron != dataset.attrs["neuron"] or code != dataset.attrs["code"]:
        raise InputError(
            f"the card is of neuron '{card.neuron}' ({code}), the dataset of '{dataset.attrs['neuron']}' "
            f"({dataset.attrs['code']}): give the card that was calibrated from this dataset"
        )
