"""Finished tasks by content hash, in one SQLite file: what makes campaigns resumable and unchanged reruns instant."""

import json
import os
import sqlite3
from pathlib import Path

import platformdirs

from neuronsim.errors import OutputError

from ..cells.measurement import CellResult
from ..ngspice.outcome import Outcome
from .tasks import Result

_TABLES: dict[type, str] = {Outcome: "runs", CellResult: "cells"}


def default_path() -> Path:
    """File runs.sqlite in ``$NEURONSIM_CACHE``, else in the user's cache folder (on Linux ~/.cache/neuronsim)."""
    return Path(os.environ.get("NEURONSIM_CACHE") or platformdirs.user_cache_dir("neuronsim")) / "runs.sqlite"


class Cache:
    """A persistent map from the keys of tasks to their results; every ``put`` is on disk when it returns.

    Raises OutputError when the file cannot be written. A corrupt file is set aside as ``runs.sqlite.corrupt``.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                    raise
                self.path.replace(self.path.with_suffix(".sqlite.corrupt"))
                self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise OutputError(
                f"cannot open the cache {self.path}: {error}. Set NEURONSIM_CACHE to a folder you can write."
            ) from None

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, outcome TEXT NOT NULL)")
        self._db.execute("CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, result TEXT NOT NULL)")

    def get(self, key: str, kind: type[Outcome] | type[CellResult]) -> Result | None:
        """Result of a finished task whose outcome is of class ``kind``, or None."""
        row = self._db.execute(f"SELECT * FROM {_TABLES[kind]} WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        stored = json.loads(row[1])
        return Result(outcome=kind.restored(stored), attempts=stored["attempts"], options=stored["options"])

    def put(self, key: str, result: Result) -> None:
        """Store the result of a finished task."""
        text = json.dumps({**result.outcome.stored(), "attempts": result.attempts, "options": result.options})
        try:
            self._db.execute(f"INSERT OR REPLACE INTO {_TABLES[type(result.outcome)]} VALUES (?, ?)", (key, text))
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"cannot write the cache {self.path}: {error}. Free space there; finished runs are kept."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
