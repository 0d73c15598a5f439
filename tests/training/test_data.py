"""Data sets: splits, folders, and files that are missing or broken."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from neuronsim.errors import DataError, InputError, MissingToolError
from training import data, sources


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
