"""Finished runs by content hash, in one SQLite file: what makes campaigns resumable and unchanged reruns instant."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.artifacts.atomic_write import sha256_of
from neuronsim.errors import OutputError

from ..deck.deck import Job
from ..ngspice.outcome import BlockEnergy, Outcome

_VERSION = 3
_WAVEFORMS = 2  # how waveforms are thinned out; the rest of a result does not depend on it


def default_path() -> Path:
    """``$NEURONSIM_CACHE``, else ``$XDG_CACHE_HOME/neuronsim``, else ``~/.cache/neuronsim``; the file runs.sqlite in it."""
    folder = os.environ.get("NEURONSIM_CACHE")
    if not folder:
        folder = os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "neuronsim"
        )
    return Path(folder) / "runs.sqlite"


def key_of(job: Job, engine: str, version: str) -> str:
    """Hash of everything that a result depends on: deck with models, options and noise, measurement, engine and version."""
    parts = [
        _VERSION,
        engine,
        version,
        job.deck,
        job.node,
        job.reference,
        repr(job.level_v),
        job.edge,
        repr(job.t_stop_s),
        repr(job.t_start_s),
        job.commands,
        job.first_input_s,
    ]
    waveforms = [_WAVEFORMS, *job.waveforms] if job.waveforms else []
    more = [*(["final"] if job.final else []), *(["counted", *job.counted] if job.counted else [])]
    return sha256_of(json.dumps([*parts, job.supplies, waveforms, *more]))


def _or_none(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


class Cache:
    """A persistent map from :func:`key_of` to outcomes; every ``put`` is on disk when it returns.

    Raises OutputError when the file cannot be written. A corrupt file is set aside as ``runs.sqlite.corrupt``.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise OutputError(
                    f"cannot open the cache {self.path}: {error}. Set NEURONSIM_CACHE to a folder you can write."
                ) from None
            self.path.replace(self.path.with_suffix(".sqlite.corrupt"))
            self._open()
        except OSError as error:
            raise OutputError(
                f"cannot open the cache {self.path}: {error}. Set NEURONSIM_CACHE to a folder you can write."
            ) from None

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, outcome TEXT NOT NULL)")
        self._db.execute("CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, result TEXT NOT NULL)")

    def get(self, key: str) -> tuple[Outcome, int, str] | None:
        """(outcome, attempts, options) of a finished run, or None."""
        row = self._db.execute("SELECT outcome FROM runs WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        stored = json.loads(row[0])
        outcome = Outcome(
            spikes_s=tuple(stored["spikes_s"]),
            energy_j=stored["energy_j"] if stored["energy_j"] is not None else float("nan"),
            blocks={
                block: BlockEnergy(window_j=window, active_j=float("nan") if active is None else active)
                for block, (window, active) in stored["blocks"].items()
            },
            reason=stored["reason"],
            message=stored["message"],
            waveforms={name: np.asarray(values) for name, values in stored["waveforms"].items()},
            final=stored.get("final", {}),
            frequencies_hz={
                name: float("nan") if f is None else f for name, f in stored.get("frequencies_hz", {}).items()
            },
        )
        return outcome, stored["attempts"], stored["options"]

    def put(self, key: str, outcome: Outcome, attempts: int, options: str) -> None:
        """Store one finished run."""
        stored = {
            "spikes_s": outcome.spikes_s,
            "energy_j": outcome.energy_j if np.isfinite(outcome.energy_j) else None,
            "blocks": {
                block: (energy.window_j, energy.active_j if np.isfinite(energy.active_j) else None)
                for block, energy in outcome.blocks.items()
            },
            "reason": outcome.reason,
            "message": outcome.message,
            "attempts": attempts,
            "options": options,
            "waveforms": {name: values.tolist() for name, values in outcome.waveforms.items()},
            **({"final": outcome.final} if outcome.final else {}),
            **({"frequencies_hz": _or_none(outcome.frequencies_hz)} if outcome.frequencies_hz else {}),
        }
        self._write("runs", key, stored)

    def get_cell(self, key: str) -> dict[str, Any] | None:
        """Result of a finished measurement of a cell (plain data), or None."""
        row = self._db.execute("SELECT result FROM cells WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put_cell(self, key: str, result: dict[str, Any]) -> None:
        """Store one finished measurement of a cell."""
        self._write("cells", key, result)

    def _write(self, table: str, key: str, stored: dict[str, Any]) -> None:
        try:
            self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, json.dumps(stored)))
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"cannot write the cache {self.path}: {error}. Free space there; finished runs are kept."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
