"""Does the card still predict its circuit? Verdict and fresh stimuli of 'neuronsim verify'."""

from __future__ import annotations

from neuronsim.artifacts.verification import Stimulus, Verification
from neuronsim.units import percent, quantity

from ..page.columns import Column, table
from ..page.elements import Note, Section


def verification_section(verification: Verification, source: str, anchor: str) -> Section:
    """Verdict, the tests behind it, and every fresh stimulus."""
    unit = "s" if verification.code == "ttfs" else "Hz"

    def value(number: float) -> str:
        return quantity(number, unit)

    columns: list[Column[Stimulus]] = [
        Column("stimulus", "description"),
        Column("simulated", "simulated", value),
        Column("predicted", "predicted", value),
        Column("error", "error", percent),
        Column("allowed", "allowed", percent),
        Column("", lambda stimulus: "inside" if stimulus.inside else "outside"),
        Column("failed", lambda stimulus: stimulus.reason or None),
    ]
    limit = "" if verification.drift_limit is None else f", allowed {percent(verification.drift_limit)}"
    drift = "" if verification.drift is None else f" Common drift {percent(abs(verification.drift))}{limit}."
    verdict = (
        f"The card {'holds' if verification.holds else 'does not hold'}: {verification.outside} of "
        f"{len(verification.stimuli)} fresh stimuli outside what it allows, at most {verification.outside_limit} may be.{drift}"
    )
    blocks = [
        Note(text=verdict, warning=not verification.holds),
        *(Note(text=note) for note in verification.notes),
        table("Fresh stimuli through the netlist, against the card.", columns, verification.stimuli, source=source),
    ]
    return Section(title=f"Verification of the card of {verification.neuron}", anchor=anchor, blocks=blocks)
