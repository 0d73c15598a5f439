"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib

import pytest

from neuronsim.atomic_write import sha256_file, sha256_of, write_atomically, write_text
from neuronsim.errors import OutputError, suggest


def full_disk(temporary):
    temporary.write_text("half of it")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "card.json"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"cannot write .*card\.json: No space left on device.*--out") as caught:
        write_atomically(path, full_disk)
    assert caught.value.exit_code == 5
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["card.json"]


def test_an_interrupt_leaves_nothing_half_written(tmp_path):
    def interrupted(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "new.json", interrupted)
    assert not list(tmp_path.iterdir())


def test_a_path_below_a_file_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / "file" / "card.json", "x")


def test_whole_file_replaces_the_old_one_and_makes_folders(tmp_path):
    path = write_text(tmp_path / "deep" / "er" / "card.json", "new µ")
    write_text(path, "newer")
    assert path.read_text(encoding="utf-8") == "newer"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["card.json"]


def test_hashes(tmp_path):
    path = write_text(tmp_path / "a", "abc")
    assert sha256_file(path) == sha256_of("abc") == sha256_of(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_suggestions():
    assert "Did you mean 'transfer'?" in suggest("tranfser", ["transfer", "jitter"])
    assert suggest("x", []) == " Known: none."
