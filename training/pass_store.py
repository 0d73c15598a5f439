"""Finished passes, stored at once: an interrupted study resumes at the next pass, a longer one makes only those that are new."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuronsim.atomic_write import output_errors, sha256_of, write_text
from neuronsim.errors import InputError

_PROGRAM = 1  # raised when the same inputs give other numbers, so that old results are not taken for new ones


class Store:
    """Results by everything that decides them, in the file ``path``, whose folder is made.

    A damaged file counts as empty: its passes are made again. Raises InputError where a file lies instead of the folder,
    OutputError.
    """

    def __init__(self, path: Path) -> None:
        self.path, folder = path, path.parent
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {folder} is a file: name a folder")
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            stored = {}
        self._results: dict[str, Any] = stored if isinstance(stored, dict) else {}

    def known(self, key: list[Any]) -> bool:
        """True when the result of ``key`` is stored."""
        return self._name(key) in self._results

    def result(self, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The stored result of ``key``, or a new one, stored before it is returned."""
        name = self._name(key)
        if name not in self._results:
            self._results[name] = compute()
            write_text(self.path, json.dumps(self._results) + "\n")
        return self._results[name]

    @staticmethod
    def _name(key: list[Any]) -> str:
        return sha256_of(json.dumps([_PROGRAM, *key]))[:32]
