"""CIFAR-10 as an archive of JPEG images: decoded once, kept in the cache."""

import io
import itertools
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuronsim.atomic_write import sha256_file, write_atomically
from neuronsim.errors import DataError, MissingToolError

from . import download as sources

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 3073  # bytes: the label, then 32 x 32 red, green and blue
_CHUNK = 1024  # images decoded together: bounds what is held of the unpacked archive


def read_archive(archive: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Training and test records (n, 3073) of ``archive``, a tar file of SPLIT/CLASS/FILE.jpg, in the order of their names.

    The decoded records are kept in the cache as an npz file, not compressed: JPEG's noise leaves little to gain (10 % measured)
    and would cost five times the loading time.

    Raises MissingToolError without Pillow, DataError naming the image when the archive is damaged or another one.
    """
    cached = sources.cache_folder() / f"cifar10-jpeg-{sha256_file(archive)[:16]}.npz"
    if cached.is_file():
        try:
            with np.load(cached) as stored:
                return stored["train"], stored["test"]
        except Exception:  # zipfile, zlib and numpy each have errors of their own: whatever is damaged is made again
            cached.unlink()
    records: dict[str, list[tuple[str, bytes]]] = {"train": [], "test": []}
    try:
        with tarfile.open(archive) as tar, ThreadPoolExecutor() as pool:
            members = _members(tar)
            while part := list(itertools.islice(members, _CHUNK)):
                for (name, _), record in zip(part, pool.map(_record, part), strict=True):
                    records[name.split("/")[0]].append((name, record))
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DataError(f"{archive} is truncated or not the CIFAR-10 JPEG archive ({error})") from None
    except ValueError as error:
        raise DataError(f"{archive} is not the CIFAR-10 JPEG archive: {error}") from None
    arrays = {}
    for split, rows in records.items():
        if not rows:
            raise DataError(f"{archive} holds no '{split}' images")
        arrays[split] = np.frombuffer(b"".join(record for _, record in sorted(rows)), np.uint8).reshape(-1, RECORD)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez(stream, **arrays)

    write_atomically(cached, write)
    return arrays["train"], arrays["test"]


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files, names checked."""
    for member in tar:
        stream = tar.extractfile(member) if member.isfile() else None
        if stream is not None:
            parts = member.name.split("/")
            if len(parts) != 3 or parts[0] not in ("train", "test") or parts[1] not in CLASSES:
                raise ValueError(f"{member.name} is not train/CLASS/FILE or test/CLASS/FILE with a class of CIFAR-10")
            yield member.name, stream.read()


def _record(member: tuple[str, bytes]) -> bytes:
    """Label and pixel planes of one image."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingToolError("reading CIFAR-10 from JPEG images needs Pillow: pip install pillow") from None
    name, content = member
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    if image.shape != (32, 32, 3):
        raise ValueError(f"{name} has {image.shape[0]} x {image.shape[1]} pixels, not 32 x 32")
    return bytes([CLASSES.index(name.split("/")[1])]) + image.transpose(2, 0, 1).tobytes()
