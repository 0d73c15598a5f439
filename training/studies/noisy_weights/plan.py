"""The plan of the noisy-weights study (paper 000)."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from neuronsim.artifacts.noisy_weights_study import Architecture
from neuronsim.training.rate.graph import Encoding
from neuronsim.training.rate.noise import Jitter, Kernels, Law

from ..plan import Several, StudyPlan


class NoisyWeightsPlan(StudyPlan):
    """Robustness to noisy synaptic weights, spiking networks against analog ones (MNIST, paper 000).

    Trains the networks, converts them, and measures accuracy (figures 2, 3), convergence time (tables II, III) and threshold
    scales (figures 4, 5); beside it frozen noise on both sides, and signal-to-noise against spike count. By default everything is
    as in the paper.
    """

    study: ClassVar[str] = "noisy-weights"

    architectures: Several[Architecture] = Field(
        default=("fc", "cnn"),
        min_length=1,
        description="networks: fc (784-1200-1200-10), cnn (28x28-12c5-2s-64c5-2s-10o)",
    )
    networks: int = Field(default=5, ge=1, description="networks trained from different seeds")
    trials: int = Field(default=5, ge=1, description="trials of noise for each network")
    images: int | None = Field(default=None, ge=1, description="use only the first so many test images")
    steps: int = Field(default=1000, ge=10, description="steps of each inference (1 ms each in the paper)")
    levels: Several[Annotated[float, Field(ge=0, le=100)]] = Field(
        default=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        min_length=1,
        description="standard deviation of the noise over the weight",
    )
    scales: Several[Annotated[float, Field(ge=0.01, le=100)]] = Field(
        default=(0.2, 0.5, 1.0, 2.0), min_length=1, description="scales of the thresholds of the first hidden layer"
    )
    encoding: Encoding = Field(default="bernoulli", description="input spikes")
    epochs: int | None = Field(
        default=None, ge=1, description="training epochs in place of those of the paper's table I"
    )
    repeats: int = Field(
        default=32, ge=0, description="inferences per image for the signal-to-noise ratio; 0 or 1: none"
    )
    chips: int = Field(
        default=20,
        ge=1,
        description="draws of frozen noisy weights for each network, the same on both sides, and of a card's mismatch",
    )
    chip_images: int = Field(default=1000, ge=1, description="images of a pass with frozen noise")
    law: Law = Field(
        default="proportional",
        description="standard deviation of the noise: proportional to w, fixed (rms of w), sqrt of |w|",
    )
    kernels: Kernels = Field(
        default="unrolled",
        description="synapses of a convolution: one set for each position, or one that all share (temporal noise: minutes "
        "per 100 images)",
    )
    reset: Literal["rest", "subtract"] = Field(
        default="rest", description="a spike sets the membrane to rest (the paper), or subtracts the threshold"
    )
    precharge: float = Field(
        default=0.0, ge=0, lt=1, description="membrane potential at the start, as a fraction of the threshold"
    )
    jitter: Jitter = Field(
        default="membrane", description="interval jitter of a card: noise of the membrane, or of each interval"
    )

    @classmethod
    def quick(cls) -> Self:
        """One network, one trial, 200 images, 300 steps, 3 epochs, 3 chips, noise 0 and 100 %, no threshold scales: minutes."""
        return cls(
            networks=1, trials=1, images=200, steps=300, epochs=3, levels=(0, 1), scales=(1,), repeats=8, chips=3
        )

    @property
    def departures(self) -> list[Any]:
        """Noise and neurons that are not the paper's, as [field, value]: part of the key of a stored pass."""
        names, fields = ("law", "kernels", "reset", "precharge"), type(self).model_fields
        return [[name, getattr(self, name)] for name in names if getattr(self, name) != fields[name].default]
