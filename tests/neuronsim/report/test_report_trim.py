"""The datasheet's chapter on mismatch: whether chips were trimmed, what that took and left, and which it failed on."""

import numpy as np
import pytest
import xarray as xr

from neuronsim.report.chapters.mismatch import mismatch_section
from neuronsim.report.page.elements import Note, Table


def dataset(*, trimmed: bool, plan: str = '{"mismatch": {"trim": true}}') -> xr.Dataset:
    """Three chips at one stimulus; the last could not be trimmed."""
    status = np.array(["ok", "ok", "ok", "failed"])
    time = np.array([1e-8, 1.01e-8, 0.97e-8, np.nan])
    data = {
        "plan": ("run", np.full(4, "mismatch")),
        "status": ("run", status),
        "reason": ("run", np.array(["", "", "", "not_trimmed" if trimmed else "timeout"])),
        "chip": ("run", np.array([-1, 0, 1, 2])),
        "trial": ("run", np.zeros(4, dtype=int)),
        "spike_time_s": ("run", time),
        "input_time_s": (("run", "input"), np.zeros((4, 1))),
    }
    if trimmed:
        chip, steps = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0])
        message = np.where(chip == 2, "trim1 = 2.7 must be at most 2.5", "")
        columns = {
            "status": np.where(chip == 2, "failed", "ok"),
            "message": message,
            "chip": chip,
            "chip_seed": np.zeros(5, dtype=int),
            "corner": np.full(5, ""),
            "temperature_c": np.full(5, 27.0),
            "supply_v": np.ones(5),
            "step": steps,
            "name": np.where(steps, "trim4", "trim1"),
            "value": np.array([1.1, 0.95, 0.9, 1.05, 2.2]),
            "error_before": np.array([-0.1, 3e-4, 0.1, -3e-4, -0.5]),
            "error_after": np.array([1e-4, 2e-5, -2e-4, 5e-5, -0.3]),
            "rounds": np.array([3, 2, 3, 2, 1]),
        }
        data |= {f"trim_{name}": (("trim",), values) for name, values in columns.items()}
    return xr.Dataset(data, attrs={"plans": plan})


def parts(data: xr.Dataset) -> tuple[str, list[Table]]:
    section = mismatch_section(data, "x.nc")
    assert section is not None
    notes = " ".join(block.text for block in section.blocks if isinstance(block, Note))
    return notes, [block for block in section.blocks if isinstance(block, Table)]


def test_trims_and_what_they_left_are_shown():
    notes, tables = parts(dataset(trimmed=True))
    assert "2 of 3 with success" in notes
    assert "chip 2: trim1 = 2.7 must be at most 2.5" in notes
    trims = next(table for table in tables if table.caption.startswith("Trims"))
    assert [row[:3] for row in trims.rows] == [("1", "trim1", "3"), ("2", "trim4", "2")]
    assert trims.rows[1][3:5] == ("0.950 … 1.050", f"{np.std([0.95, 1.05], ddof=1):.3f}")
    assert trims.rows[1][-2:] == ("50", "2")


@pytest.mark.parametrize(("trimmed", "chips"), [(True, "2 of 3"), (False, "2 of 2")])
def test_a_chip_that_cannot_be_trimmed_counts_against_the_yield(trimmed, chips):
    """One whose run failed in the simulator does not."""
    _, tables = parts(dataset(trimmed=trimmed))
    yields = next(table for table in tables if table.caption.startswith("Yield"))
    assert yields.rows[0][1] == chips


def test_chips_as_made_are_said_to_be_so():
    assert "they were not trimmed" in parts(dataset(trimmed=False, plan='{"mismatch": {"trim": false}}'))[0]
    assert "trimmed" not in parts(dataset(trimmed=False))[0]
