"""Accuracy on chips of the card, and what training under its noise gained."""

from typing import NamedTuple

from matplotlib.figure import Figure

from neuronsim.artifacts.robustness_study import Gain, Origin, Point, Study
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import drawn
from neuronsim.units import accuracies, accuracy, percent

from ..chips_plot import OnChips, draw_on_chips
from .points import interval_words


class _Row(NamedTuple):
    study: Study
    network: Origin
    point: Point

    @property
    def trained_under(self) -> str:
        digest = self.network.trained_card_digest
        return "no card" if digest is None else "this card" if digest == self.study.card_digest else "another card"

    @property
    def repeats(self) -> str | None:
        draws = self.point.draws
        return f"{len(draws)} {self.study.repeats(self.point)}" if draws else None


_ACCURACIES: list[Column[_Row]] = [
    Column("network", "network.label"),
    Column("trained under", "trained_under"),
    Column("condition", "point.series"),
    Column("accuracy", "point.accuracy", accuracy),
    Column("95 % interval", lambda row: accuracies(row.point.low, row.point.high).removesuffix(" %")),
    Column("worst of them", lambda row: row.point.worst if row.point.draws else None, accuracy),
    Column("repeats", "repeats"),
    Column("silent images", "point.silent_outputs", percent),
    Column("out of range", "point.out_of_range", percent),
]
_GAINS: list[Column[Gain]] = [
    Column("network", "network"),
    Column("against", "reference"),
    Column("difference", "mean", lambda mean: f"{100 * mean:+.2f}"),
    Column("95 % interval", lambda gain: _points(gain.low, gain.high)),
    Column("chips", "chips"),
    Column("pairs", lambda gain: "same chips" if gain.paired else "different layers"),
]


def card_tables(study: Study) -> list[Table]:
    """Every network under every condition, and differences between networks."""
    rows = [_Row(study, network, p) for network in study.networks for p in study.points if p.network == network.label]
    caption = (
        'Accuracy. "card": frozen mismatch and temporal noise; temporal draws are of the nominal chip. Interval: '
        f"{interval_words(study)}. Out of range: – where the card has no limit of the detector, or none is known."
    )
    both = [table(caption, _ACCURACIES, rows)]
    if study.gains:
        caption = (
            "What it bought: difference of mean accuracy on the card, in points; 95 % interval over chips and images."
        )
        both.append(table(caption, _GAINS, study.gains))
    return both


def _points(low: float | None, high: float | None) -> str | None:
    """Interval of a difference of accuracies in percent points."""
    return None if low is None or high is None else f"{100 * low:+.2f} … {100 * high:+.2f}"


@drawn
def card_plot(study: Study) -> Figure:
    """Per condition and network: each chip (dots), the mean with its 95 % interval, and the worst chip."""
    results = [OnChips(p.series, p.network, p.accuracy, p.low, p.high, p.worst, p.draws) for p in study.points]
    return draw_on_chips(results, {"card": f"chips of\n{study.card}", "no noise": "card without\nnoise"})
