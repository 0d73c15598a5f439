"""Studies of trained networks: each has a plan (what is done), a function that runs it and returns its file, and a store of
finished passes."""

from .noise_adaptor.plan import NoiseAdaptorPlan
from .noisy_weights.plan import NoisyWeightsPlan
from .robustness.plan import RobustnessPlan

PLANS = {plan.study: plan for plan in (RobustnessPlan, NoisyWeightsPlan, NoiseAdaptorPlan)}
