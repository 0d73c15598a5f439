"""Reset after a spike, by operating point."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..analysis.reset import reset_rows, reset_verdict, shift_s, tolerance_s
from ..units import quantity
from .page.elements import Block, Note, Table

_WORDS = {
    "again": "yes",
    "shifted": "yes, but shifted",
    "silent": "no: silent",
    "extra": "no: fires without input",
    "failed": "run failed",
}


def reset_words(dataset: xr.Dataset, points: list[tuple[str, str]], names: list[tuple[str, str]]) -> list[str]:
    """For each of ``points`` whether the neuron fires again after a reset there, and by how much later; "–" where it was not
    run. ``names``: point of every row of plan 'reset'."""
    rows = reset_rows(dataset)
    said, shift = reset_verdict(rows), shift_s(rows)
    found = []
    for point in points:
        here = [i for i, name in enumerate(names) if name == point]
        texts = [_word(str(said[i]), float(shift[i])) for i in here]
        found.append("; ".join(texts) or "–")
    return found


def _signed(seconds: float) -> str:
    return ("+" if seconds > 0 else "") + quantity(seconds, "s", 3)


def _word(said: str, shift: float) -> str:
    word = _WORDS.get(said, f"no: {said}")
    return f"{word} ({_signed(shift)})" if np.isfinite(shift) else word


def reset_blocks(dataset: xr.Dataset, names: list[tuple[str, str]], source: str) -> list[Block]:
    """How many runs fire again after a reset, how much later, and every one that does not. ``names``: point of every row."""
    rows = reset_rows(dataset)
    if rows.sizes["run"] == 0:
        return []
    said, shift = reset_verdict(rows), shift_s(rows)
    good = said == "again"
    text = (
        f"After a spike and a reset the same stimulus fires it again, within {quantity(tolerance_s(rows), 's')} of the first "
        f"spike time, in {int(good.sum())} of {said.size} runs"
    )
    if good.any():
        low, high = (_signed(float(v)) for v in (shift[good].min(), shift[good].max()))
        text += f" (difference {low} to {high})"
    blocks: list[Block] = [Note(text=text + ".", warning=not bool(good.all()))]
    lost = [(*names[i], _word(str(said[i]), float(shift[i]))) for i in np.flatnonzero(~good)]
    if lost:
        header = ("point", "supply", "fires again after reset")
        blocks.append(Table(caption="Runs that do not start afresh.", header=header, rows=lost, source=source))
    return blocks
