"""A step of trimming as a manifest has it (``[[trim]]``): which oscillators are counted, how, and what sets each right."""

from typing import Self

from pydantic import Field, model_validator

from neuronsim.schema import Part


class TrimStep(Part):
    """Oscillators that are counted while some ports are held, and the parameter that trims each.

    count: parameter -> node of the neuron's subcircuit (or port); a larger parameter makes it faster. The goal is what the
    circuit without mismatch does at the same corner, temperature, supply and accuracy under the same hold. ``against``: a node
    counted in the same run; the goal is then the ratio of the two frequencies. hold: port -> voltage as a fraction of the first
    supply, from the start; the reset and threshold ports are low and there are no inputs. lead, watch: in time units, what is
    simulated before and while counting. tolerance: relative; rounds: at most, the first of which counts the chip as it is.
    """

    count: dict[str, str] = Field(min_length=1)
    against: str | None = None
    hold: dict[str, float] = Field(default_factory=dict)
    lead: float = Field(gt=0, le=1000)
    watch: float = Field(gt=0, le=1000)
    tolerance: float = Field(gt=0, lt=0.1)
    rounds: int = Field(default=6, ge=2, le=50)

    @model_validator(mode="after")
    def _each_node_once(self) -> Self:
        if len(self.nodes) < len(self.count) + (self.against is not None):
            raise ValueError(f"every node can be counted once only: {[*self.count.values(), self.against]}")
        return self

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes that are counted."""
        return tuple(dict.fromkeys([*self.count.values(), *([self.against] if self.against else [])]))
