"""A base for what models are made of, so that a checkpoint can make it again."""

import inspect
from abc import ABC
from typing import Any

from lightning.pytorch.core.mixins.hparams_mixin import HyperparametersMixin
from torch import nn


class Network(nn.Module, HyperparametersMixin, ABC):
    """A network that remembers how it was made, so that a checkpoint can make it again.

    A subclass needs to do nothing for that but to call ``super().__init__()``.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.save_hyperparameters(logger=False)  # the arguments of every __init__ that led here

    def recipe(self) -> dict[str, Any]:
        """Tell how to make this network (without its weights), as a configuration does: class_path and init_args."""
        arguments = inspect.signature(type(self)).parameters
        return {
            "class_path": f"{type(self).__module__}.{type(self).__qualname__}",
            "init_args": {name: value for name, value in self.hparams.items() if name in arguments},
        }
