"""The field's loss functions under one convention, with torch as the only dependency."""

from losses.adversarial import GANLoss, gradient_penalty
from losses.precision import at_least_float32

__all__ = ["GANLoss", "at_least_float32", "gradient_penalty"]
