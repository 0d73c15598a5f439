"""The sections of an experiment's TOML file: encoding, loss, optimizer, augmentation, training stages, and training on a card."""

from typing import Literal, Self

from pydantic import Field, model_validator

from neuronsim.schema import Part

from .loss import LossName, PenaltyReduction


class Encoding(Part):
    """t = alpha (1 - pixel) (``bright_first``) or alpha pixel, in tau; ``noise``: uniform +-noise on each training pixel."""

    alpha: float = Field(default=3.0, gt=0, le=80)
    bright_first: bool = True
    noise: float = Field(default=0.05, ge=0, le=1)


class Loss(Part):
    """Spike-time loss + weight_sum * mean(relu(beta - sum w)) + l2 * sum w^2 (paper 004, equation 5).

    ``reduction`` "sum": the sum over neurons instead of the mean, as the equation is printed. ``silent_target`` > 0 adds that
    many times what a silent target's membrane lacks to the threshold (:func:`silent_target_shortfall`).
    """

    name: LossName = "softmax-z"
    cap: float = Field(default=250.0, gt=1)
    weight_sum: float = Field(default=10.0, ge=0)
    beta: float = Field(default=1.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    reduction: PenaltyReduction = "mean"
    silent_target: float = Field(default=0.0, ge=0)


class Optimizer(Part):
    """Adam, AdamW, or SOAP (Vyas et al. 2024: Adam in the eigenbasis of Shampoo's preconditioners, renewed every
    ``precondition_every`` batches, by default 20 or 640 images, whichever is more). ``clip``: "norm" limits
    the norm of all gradients to ``clip_value``; "row-norm" that of each weight matrix divided by its number of output neurons
    (paper 004, section 4); ``slope_floor``: smallest S - 1 in the gradients."""

    name: Literal["adam", "adamw", "soap"] = "adamw"
    weight_decay: float = Field(default=0.0, ge=0)
    precondition_every: int | None = Field(default=None, ge=1)
    clip: Literal["none", "norm", "row-norm"] = "none"
    clip_value: float | None = Field(default=None, gt=0)
    slope_floor: float = Field(default=0.1, ge=0)

    @model_validator(mode="after")
    def _clip(self) -> Self:
        if (self.clip == "none") != (self.clip_value is None):
            raise ValueError("clip and clip_value go together: give both, or neither")
        if self.name == "adam" and self.weight_decay > 0:
            raise ValueError('weight_decay belongs to "adamw" and "soap"; with "adam" use loss.l2')
        if self.name != "soap" and self.precondition_every is not None:
            raise ValueError('precondition_every belongs to "soap"')
        return self


class Augmentation(Part):
    """Random map of every training image: affine, uniform within +- these limits, and elastic.

    ``elastic_px``: limit of the displacement at the knots of a grid 7 pixels apart, smooth between them.
    """

    shift_px: float = Field(default=0.0, ge=0)
    rotation_deg: float = Field(default=0.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    shear: float = Field(default=0.0, ge=0, lt=1)
    elastic_px: float = Field(default=0.0, ge=0)

    @property
    def active(self) -> bool:
        """False when images stay as they are."""
        return any((self.shift_px, self.rotation_deg, self.scale, self.shear, self.elastic_px))


class TrainingStage(Part):
    """Epochs with one learning-rate schedule (from ``lr`` to ``lr_end``, per batch) and one weight resolution."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    lr_end: float = Field(gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    bits: int | None = Field(default=None, ge=1, le=32)

    @model_validator(mode="after")
    def _constant(self) -> Self:
        if self.schedule == "constant" and self.lr != self.lr_end:
            raise ValueError(f'schedule "constant" contradicts lr_end = {self.lr_end:g} (lr = {self.lr:g})')
        return self


class NoiseAware(Part):
    """Training on the card given to ``train``: through its circuit, under its mismatch, under its timing noise, each on or off.

    ``kernel`` "card": spike times and gradients are those of the card's own neuron (second pole, ramp, gain, detector range,
    delay), as in evaluation; "ideal": those of equation 4 with the card's gain and delay only, which is faster and enough where
    the second pole is fast (r >= 50), the ramp small, and the phase error stays in range. The default is "card", since what
    training does not see it cannot make good. ``frozen``: a new chip for every batch (weight, gain and, with the card's kernel,
    ramp errors), its synapses "shared" by the positions of a convolution or "unrolled", as on a real chip (slower; needs the
    card's kernel). ``temporal``: timing noise and missing spikes, drawn per spike; ``scale`` multiplies the timing noise. With
    ``frozen`` and ``temporal`` false it is training through the deterministic circuit.

    ``range_penalty`` adds that many times what phase errors exceed the detector's linear range by, ``range_margin`` of it left
    to the spread of chips (:mod:`training.ttfs.detector_range`): it brings a network into the range without following a folded
    detector, whose gradients lead nowhere. Of no effect with a card whose range has no limit.
    """

    kernel: Literal["card", "ideal"] = "card"
    scale: float = Field(default=1.0, ge=0)
    frozen: bool = True
    temporal: bool = True
    synapses: Literal["shared", "unrolled"] = "shared"
    range_penalty: float = Field(default=0.0, ge=0)
    range_margin: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _own_synapses(self) -> Self:
        if self.kernel == "ideal" and self.synapses == "unrolled":
            raise ValueError('synapses = "unrolled" needs kernel = "card": the ideal kernel shares its weights')
        return self
