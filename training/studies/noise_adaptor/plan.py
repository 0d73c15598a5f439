"""The plan of the noise-adaptor study (paper 003)."""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator

from neuronsim.papers.paper003 import TIMES
from neuronsim.training.low_latency.experiment import ConversionExperiment, Phase, conversion_experiment

from ..plan import StudyPlan

EXPERIMENTS = {"fashion-mnist": "fashion_mnist_cnn", "mnist": "mnist_cnn", "cifar10": "cifar10_resnet18"}
Count = Annotated[int, Field(ge=1)]


class NoiseAdaptorPlan(StudyPlan):
    """Accuracy of converted networks after few time steps, trained with and without the noise adaptor (paper 003).

    For every seed one full-precision network with max-pools is trained, then two quantized ones with average-pools from it, with
    and without noise before rounding, all else equal, so that differences are paired. Converted to integrate-and-fire neurons,
    one simulation gives all times.
    """

    study: ClassVar[str] = "noise-adaptor"

    data: Literal["fashion-mnist", "mnist", "cifar10"] = Field(
        default="fashion-mnist", description="data set, with a small CNN; cifar10: ResNet-18, for a GPU"
    )
    experiment: ConversionExperiment | str | None = Field(
        default=None, description="name of an experiment or TOML file, in place of the one that ships for the data set"
    )
    seeds: int = Field(default=3, ge=2, description="networks per variant; intervals are over them")
    levels: tuple[Count, ...] = Field(
        default=(2,), min_length=1, description="values of p: activations take the p + 1 values 0, s ... p s"
    )
    corrections: bool = Field(
        default=True,
        description="also with negative spikes and with offset-spike calibration, for the first p, up to 32 steps",
    )
    epochs: int | None = Field(default=None, ge=1, description="epochs of both trainings, in place of the experiment's")
    train_images: int | None = Field(default=None, ge=2, description="use only the first so many training images")
    images: int | None = Field(default=None, ge=1, description="use only the first so many test images")
    times: tuple[Count, ...] = Field(
        default=TIMES, min_length=1, description="numbers of steps after which accuracy is measured, rising"
    )

    @field_validator("levels")
    @classmethod
    def _different(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(values)) < len(values):
            raise ValueError("each p only once")
        return values

    @field_validator("times")
    @classmethod
    def _rising(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError("numbers of steps must rise")
        return values

    @classmethod
    def quick(cls) -> Self:
        """One epoch on 1000 images, 200 test images, up to 32 steps: to see that everything runs."""
        return cls(epochs=1, train_images=1000, images=200, times=(1, 2, 4, 8, 16, 32))

    def chosen_experiment(self) -> ConversionExperiment:
        """The experiment with the changes of this plan. Raises InputError when there is none of its name."""
        experiment = self.experiment or EXPERIMENTS[self.data]
        if isinstance(experiment, str):
            experiment = conversion_experiment(experiment)
        changes: dict[str, Any] = {} if self.train_images is None else {"train_images": self.train_images}
        if self.epochs is not None:
            for phase in get_args(Phase):
                changes[phase] = experiment.schedule(phase).model_copy(update={"epochs": self.epochs})
        return experiment.model_copy(update=changes)
