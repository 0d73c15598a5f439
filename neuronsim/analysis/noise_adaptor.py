"""Figures of merit of a conversion study: what the noise adaptor does to accuracy early, late, and to the quantized ANN."""

from typing import NamedTuple

from ..artifacts.conversion_study import ConversionStudy, Difference, Mean

EARLY, LATE = 4, 16
"""Steps until which a time is early, and from which it is late."""


class AdaptorEffect(NamedTuple):
    """At which times the adaptor helps, for one p.

    ``better_early``: early times at which the mean with the adaptor is higher; ``above``, ``below``: times whose 95 % interval of
    the difference lies above or below 0, of ``n_times``, not corrected for their number; ``late``: first and last late time, with
    the change of the mean accuracy between them without and with the adaptor (empty with fewer than two late times);
    ``ann``: difference of the quantized ANN.
    """

    levels: int
    better_early: list[int]
    above: list[int]
    below: list[int]
    n_times: int
    late: tuple[int, int, float, float] | tuple[()]
    ann: Difference | None


def all_levels(study: ConversionStudy) -> list[int]:
    """Every p of the study, rising."""
    return sorted({c.levels for c in study.converted})


def times(study: ConversionStudy, levels: int | None = None, correction: str | None = None) -> list[int]:
    """Times of the study, of one p or correction where given, rising."""
    chosen = (c for c in study.converted if levels in (None, c.levels) and correction in (None, c.correction))
    return sorted({time for c in chosen for time in c.times})


def means(study: ConversionStudy, levels: int, adaptor: bool, correction: str = "none") -> dict[int | None, Mean]:
    """Mean accuracy by time, of the ANN under None."""
    wanted = (levels, adaptor, correction)
    return {m.time: m for m in study.means if (m.levels, m.adaptor, m.correction) == wanted}


def differences(study: ConversionStudy, levels: int) -> dict[int | None, Difference]:
    """With minus without adaptor by time, of the ANN under None, without corrections; in rising order of time."""
    chosen = [d for d in study.differences if (d.levels, d.correction) == (levels, "none")]
    return {d.time: d for d in sorted(chosen, key=lambda d: d.time or 0)}


def adaptor_effect(study: ConversionStudy, levels: int) -> AdaptorEffect | None:
    """The effect for one p; None without early times."""
    every = differences(study, levels)
    known = {time: d for time, d in every.items() if time is not None}
    early = {time: d for time, d in known.items() if time <= EARLY}
    if not early:
        return None
    late, change = [time for time in known if time >= LATE], ()
    if len(late) > 1:
        first, last = min(late), max(late)
        curves = [means(study, levels, adaptor) for adaptor in (False, True)]
        without, with_adaptor = (curve[last].mean - curve[first].mean for curve in curves)
        change = first, last, without, with_adaptor
    return AdaptorEffect(
        levels=levels,
        better_early=[time for time, d in early.items() if d.mean > 0],
        above=[time for time, d in known.items() if d.low is not None and d.low > 0],
        below=[time for time, d in known.items() if d.high is not None and d.high < 0],
        n_times=len(known),
        late=change,
        ann=every.get(None),
    )
