"""How the networks of a run are computed: what is faster on a GPU, and changes no more than rounding."""

import lightning.pytorch as pl
import torch

from training.model import Model


class Networks(pl.Callback):
    """Compile the networks, or lay out their weights otherwise, when training begins.

    What is computed is the same up to rounding. Checkpoints know nothing of it: any run can go on from them.

    Args:
        compile: whether torch.compile makes one program of each network, in the first step and whenever pictures of
            another size come: minutes, which pay on a GPU and in long runs.
        channels_last: whether weights and feature maps lie with the channels of a pixel side by side, as the tensor
            cores of a GPU want them. multitask always has them so.
    """

    def __init__(self, compile: bool = False, channels_last: bool = False) -> None:
        self.compile = compile
        self.channels_last = channels_last

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do so."""
        assert isinstance(pl_module, Model), "the applications' models name their networks"
        for network in pl_module.networks:
            if self.channels_last:
                network.to(memory_format=torch.channels_last)
            if self.compile:
                network.compile()
