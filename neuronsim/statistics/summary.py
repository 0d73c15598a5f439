"""Mean, quantiles and intervals of repeated draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Distribution of one figure over ``n`` runs; ``low`` and ``high``: 95 % bootstrap interval of the mean."""

    n: int
    mean: float
    low: float
    high: float
    median: float
    p10: float
    p90: float
    p95: float
    worst: float

    @classmethod
    def of(cls, values: Array, seed: int = 0) -> Summary:
        """Summary of finite ``values`` (n,); all NaN when there are none."""
        values = np.asarray(values, dtype=np.float64)
        if values.size == 0:
            return cls(n=0, **dict.fromkeys(("mean", "low", "high", "median", "p10", "p90", "p95", "worst"), np.nan))
        low, high = mean_interval(values, seed)
        p10, median, p90, p95 = np.percentile(values, [10, 50, 90, 95])
        return cls(
            n=values.size,
            mean=float(values.mean()),
            low=low,
            high=high,
            median=float(median),
            p10=float(p10),
            p90=float(p90),
            p95=float(p95),
            worst=float(values.max()),
        )


def mean_interval(values: Array, seed: int = 0) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of the mean of ``values`` (n,), from a generator seeded with ``seed``."""
    if values.size < 2:
        return float(values.mean()), float(values.mean())
    from scipy.stats import bootstrap  # half a second, which only pages with tables wait for

    interval = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, batch=100, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(interval.low), float(interval.high)
