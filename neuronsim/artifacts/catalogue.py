"""Every kind of artifact that ships with neuronsim, and reading a file of whatever kind."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from ..errors import DataError, InputError
from .base import KINDS, Artifact, read_json
from .netcdf import stored_attribute

for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name != "catalogue":
        import_module(f"{__package__}.{_module.name}")
#: kind -> class
SHIPPED: dict[str, type[Artifact]] = dict(sorted(KINDS.items()))


def kind_of(path: Path) -> str | None:
    """Kind that a file claims to be of; None: it is no artifact. Raises DataError for a JSON file that is corrupt."""
    kind = read_json(path).get("kind") if path.suffix == ".json" else stored_attribute(path, "kind")
    return kind if isinstance(kind, str) and kind in KINDS else None


def read(path: Path | str) -> Artifact:
    """Read and check an artifact of whatever kind. Raises as :meth:`Artifact.load`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no artifact at {path}: give a dataset, card, training run, evaluation or study")
    kind = kind_of(path)
    if kind is not None:
        return KINDS[kind].load(path)
    if path.suffix == ".nc":
        return KINDS["characterization"].load(path)  # which says what is wrong with it
    raise DataError(f"{path} is no artifact of neuronsim: its kind is not one of {', '.join(KINDS)}")
