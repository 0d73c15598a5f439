"""A value with its confidence interval."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..schema import Part


class Estimate(Part):
    """A calibrated value with its 95 % confidence interval [low, high], all in the unit of the field's name."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value:g} lies outside its interval [{self.low:g}, {self.high:g}]")
        return self

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """An estimate without uncertainty (a design value)."""
        return cls(value=value, low=value, high=value)
