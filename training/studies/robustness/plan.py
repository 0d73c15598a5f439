"""The plan of the robustness studies."""

from typing import ClassVar

from pydantic import Field

from neuronsim.artifacts.robustness_study import KINDS, Kind
from neuronsim.errors import InputError

from ..plan import Several, StudyPlan


class RobustnessPlan(StudyPlan):
    """Accuracy of trained networks against weight resolution, weight noise, jitter and a card's noise; energy per inference.

    The studies: "quantization", weights at 32 to 2 bits after training, per neuron and per layer, and as trained (paper 004,
    table 4); "snr", frozen weight noise (figure 2); "jitter" of input spikes and of every neuron's spike; "card" (needs one),
    chips with frozen mismatch and temporal noise, every run on the same chips, and the difference of each run to the first;
    "energy" per inference.
    """

    study: ClassVar[str] = "robustness"

    only: Several[Kind] = Field(
        default=(), description="only these studies; none named: all, 'card' where there is a card"
    )
    chips: int = Field(default=20, ge=2, description="chips of the card: frozen mismatch draws")
    draws: int = Field(default=5, ge=2, description="draws of weight noise and of jitter at each level")
    points: int = Field(default=7, ge=2, description="levels of weight noise and of jitter")
    images: int | None = Field(default=None, ge=1, description="use only the first so many test images")

    def kinds(self, *, card: bool) -> list[Kind]:
        """The studies in their order, with or without a card. Raises InputError when one needs a card and there is none."""
        if "card" in self.only and not card:
            raise InputError("the study 'card' needs a model card: give one with --card")
        wanted = self.only or (KINDS if card else set(KINDS) - {"card"})
        return sorted(wanted, key=KINDS.index)
