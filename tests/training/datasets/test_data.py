"""Data sets: splits, folders, and files that are missing or broken."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from neuronsim.errors import DataError, InputError, MissingToolError
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets import cifar_jpeg
from neuronsim.training.datasets import download as sources


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """No data folder, cache or network of this machine takes part."""
    monkeypatch.delenv(sources.ENVIRONMENT, raising=False)
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(sources, "_SYSTEM", {})
    monkeypatch.setattr(sources, "_MIRRORS", dict.fromkeys(sources._MIRRORS, ("http://127.0.0.1:9/",)))


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + b"".join(struct.pack(">I", n) for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def jpeg_archive(folder, *, size: int = 32, label: str | None = None):
    """A tiny archive of JPEG images, train/CLASS/NUMBER.jpg and test/...; class k is an even red of 20 k. Returns its path."""
    image = pytest.importorskip("PIL.Image", reason="install Pillow")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cifar10-jpeg.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for split, n in (("train", 10), ("test", 2)):
            for k, name in enumerate(cifar_jpeg.CLASSES):
                for number in range(n):
                    stream = io.BytesIO()
                    image.new("RGB", (size, size), (20 * k, 0, 0)).save(stream, "JPEG", quality=95)
                    entry = tarfile.TarInfo(f"{split}/{label or name}/{number:04d}.jpg")
                    entry.size = stream.tell()
                    stream.seek(0)
                    tar.addfile(entry, stream)
    return path


@pytest.fixture
def idx_folder(tmp_path):
    """A folder with a tiny set of MNIST's shape; returns the data folder."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for part, n in (("train", 240), ("test", 20)):
        pixels, labels = generator.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        (folder / sources.IDX_FILES[f"{part}_images"]).write_bytes(gzip.compress(idx(pixels)))
        (folder / sources.IDX_FILES[f"{part}_labels"]).write_bytes(gzip.compress(idx(labels)))
    return folder.parent


@pytest.mark.slow
def test_mnist_5k_is_split_evenly_and_always_alike():
    first, again = data.load("mnist-5k"), data.load("mnist-5k")
    assert first.digest == again.digest
    assert [len(part) for part in (first.train, first.validation, first.test)] == [3500, 500, 1000]
    for part, each in ((first.train, 350), (first.validation, 50), (first.test, 100)):
        assert np.bincount(part.labels).tolist() == [each] * 10
    seen = {image.tobytes() for image in first.train.pixels}
    assert not any(image.tobytes() in seen for image in (*first.validation.pixels, *first.test.pixels))


def test_digits_use_the_whole_range():
    digits = data.load("digits")
    assert digits.shape == (8, 8, 1)
    assert digits.train.pixels.max() == 255
    assert len(digits.train) + len(digits.validation) + len(digits.test) == 1797


def test_idx_folder_by_argument_and_environment(idx_folder, monkeypatch):
    given = data.load("mnist", idx_folder)
    assert (len(given.train), len(given.validation), len(given.test)) == (220, 20, 20)
    monkeypatch.setenv(sources.ENVIRONMENT, str(idx_folder))
    assert data.load("mnist").digest == given.digest
    status = {row[0]: row for row in data.data_status()}
    assert status["mnist"][1]
    assert not status["cifar10"][1]
    assert "NEURONSIM_DATA" in status["fashion-mnist"][3]
    assert set(status) == set(data.DATASETS)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[: len(raw) // 2], "truncated or not a gzip"),
        (lambda raw: gzip.compress(gzip.decompress(raw)[:-5]), r"\(240, 28, 28\) needs 188176 bytes, it has 188171"),
        (lambda raw: gzip.compress(b"\0\0\x09\3" + gzip.decompress(raw)[4:]), "00000903.*00000803"),
        (lambda raw: gzip.compress(gzip.decompress(raw)[:9]), "header"),
        (lambda raw: gzip.compress(b""), "nothing"),
        (lambda raw: b"not gzip at all", "gzip"),
    ],
)
def test_damaged_idx_is_named(idx_folder, damage, message):
    path = idx_folder / "mnist" / sources.IDX_FILES["train_images"]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        data.load("mnist", idx_folder)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_wrong_count_are_named(idx_folder):
    labels = idx_folder / "mnist" / sources.IDX_FILES["train_labels"]
    labels.write_bytes(gzip.compress(idx(np.zeros(3))))
    with pytest.raises(DataError, match="labels"):
        data.load("mnist", idx_folder)
    labels.unlink()
    with pytest.raises(DataError, match="lacks train-labels"):
        data.load("mnist", idx_folder)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_without_data_and_internet_it_says_what_to_do(name):
    with pytest.raises(MissingToolError, match=f"'{name}'.*--data-dir.*NEURONSIM_DATA"):
        data.load(name)


@pytest.fixture
def mirror(idx_folder, monkeypatch):
    """A publisher on this machine: a folder of files whose checksums are the expected ones, and the addresses of requests."""
    folder, asked = idx_folder / "mnist", []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format, *arguments):
            asked.append(self.path)

    digests = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in sources.IDX_FILES.values()}
    monkeypatch.setitem(sources._MD5, "mnist", digests)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setitem(sources._MIRRORS, "mnist", ("http://127.0.0.1:9/", here))  # nobody answers at the first
        yield folder, asked
        server.shutdown()


def test_a_download_is_checked_kept_and_not_repeated(mirror, tmp_path):
    folder, asked = mirror
    fetched = data.load("mnist")
    assert fetched.digest == data.load("mnist", folder.parent).digest
    assert sorted(set(asked)) == sorted(f"/{path.name}" for path in folder.iterdir())
    asked.clear()
    assert data.load("mnist").digest == fetched.digest
    assert asked == []


def test_an_interrupted_download_goes_on(mirror):
    folder, asked = mirror
    hidden = folder / sources.IDX_FILES["test_labels"]
    kept = hidden.rename(hidden.with_suffix(".kept"))
    with pytest.raises(MissingToolError, match="cannot be downloaded"):
        data.load("mnist")
    kept.rename(hidden)
    asked.clear()
    assert len(data.load("mnist").test) == 20
    assert set(asked) == {f"/{hidden.name}"}


def test_a_download_that_is_not_the_published_file_is_refused(mirror, tmp_path):
    folder, _ = mirror
    (folder / sources.IDX_FILES["train_images"]).write_bytes(b"a page that says: not found")
    with pytest.raises(DataError, match="not the published file"):
        data.load("mnist")
    assert not list((tmp_path / "cache").rglob("train-images*"))


def test_unknown_names_and_folders(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'mnist-5k'"):
        data.load("mnist5k")
    with pytest.raises(InputError, match="not a folder"):
        data.load("mnist", tmp_path / "nowhere")


def test_cifar_batches(tmp_path):
    folder = tmp_path / "data" / "cifar10"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for file in sources.CIFAR_FILES:
        records = generator.integers(0, 256, (20, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(20) % 10
        records.tofile(folder / file)
    loaded = data.load("cifar10", folder.parent)
    assert loaded.shape == (32, 32, 3)
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (90, 10, 20)
    # Bytes come as planes (red, green, blue); images are channels-last.
    np.testing.assert_array_equal(loaded.test.pixels[3].transpose(2, 0, 1).ravel(), records[3, 1:])
    (folder / "data_batch_2.bin").write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match=r"data_batch_2.bin.*100 bytes"):
        data.load("cifar10", folder.parent)
    (folder / "data_batch_2.bin").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_2.bin"):
        data.load("cifar10", folder.parent)


def test_cifar_from_jpeg_says_so_and_is_decoded_once(tmp_path, monkeypatch):
    archive = jpeg_archive(tmp_path / "data" / "cifar10-jpeg")
    loaded = data.load("cifar10", tmp_path / "data")
    assert loaded.source == "CIFAR-10 (JPEG)"
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (90, 10, 20)
    assert np.bincount(loaded.test.labels).tolist() == [2] * 10
    for part in (loaded.train, loaded.validation, loaded.test):
        np.testing.assert_allclose(part.pixels[:, 5, 7, 0], 20 * part.labels, atol=2)
        np.testing.assert_allclose(part.pixels[:, 5, 7, 1:], 0, atol=2)

    def closed(*_, **__):
        raise AssertionError("the archive was decoded twice")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", closed)
        assert data.load("cifar10", tmp_path / "data").digest == loaded.digest
    (cached,) = (tmp_path / "cache").glob("*.npz")
    cached.write_bytes(cached.read_bytes()[:1000])
    assert data.load("cifar10", tmp_path / "data").digest == loaded.digest, "a damaged cache is made anew"
    assert {row[0]: row[2] for row in data.data_status(tmp_path / "data")}["cifar10"] == str(archive)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 16}, "airplane/0000.jpg has 16 x 16 pixels, not 32 x 32"),
        ({"label": "zebra"}, "train/zebra/0000.jpg is not"),
    ],
)
def test_another_jpeg_archive_is_refused(tmp_path, change, message):
    jpeg_archive(tmp_path / "data" / "cifar10-jpeg", **change)
    with pytest.raises(DataError, match=message):
        data.load("cifar10", tmp_path / "data")


def test_a_truncated_jpeg_archive_is_named(tmp_path):
    archive = jpeg_archive(tmp_path / "data" / "cifar10-jpeg")
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cifar10-jpeg.tar.xz is truncated"):
        data.load("cifar10", tmp_path / "data")


def test_fashion_mnist_is_found_where_debian_puts_it(idx_folder, monkeypatch):
    monkeypatch.setattr(sources, "_SYSTEM", {"fashion-mnist": (idx_folder / "mnist",)})
    found = data.load("fashion-mnist")
    assert (found.name, len(found.test)) == ("fashion-mnist", 20)
    assert {row[0]: row[1] for row in data.data_status()}["fashion-mnist"]
    # A folder of one's own comes first.
    own = idx_folder / "fashion-mnist"
    own.mkdir()
    for file in sources.IDX_FILES.values():
        (own / file).write_bytes((idx_folder / "mnist" / file).read_bytes())
    assert sources.idx_folder("fashion-mnist", idx_folder) == own


@pytest.mark.slow
def test_debian_fashion_mnist_is_the_published_one():
    folder = Path("/usr/share/datasets/fashion-mnist")
    if not folder.is_dir():
        pytest.skip("install Debian's package dataset-fashion-mnist: apt-get install dataset-fashion-mnist")
    images = data.read_idx(folder / sources.IDX_FILES["train_images"], 3)
    labels = data.read_idx(folder / sources.IDX_FILES["test_labels"], 1)
    assert images.shape == (60_000, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
    assert images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)  # the mean its publishers' users normalize with
