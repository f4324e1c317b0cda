"""How the networks of a run are computed: what is faster on a GPU, and changes no more than rounding."""

import lightning.pytorch as pl
import torch

from training.model import Model
from training.recomputation import Layers


class Networks(pl.Callback):
    """Compile the networks, or change the memory layout of their weights, when training begins.

    Results are the same up to rounding, and with ``recompute`` bit for bit. Checkpoints do not depend on it: any run
    can resume from them.

    Args:
        compile: whether torch.compile makes one program of each network, in the first step and for each new size of
            pictures: this takes minutes, which pay off on a GPU and in long runs.
        channels_last: whether weights and feature maps store the channels of a pixel side by side, as the tensor cores
            of a GPU prefer. multitask always does.
        recompute: whether feature maps between two convolutions are recomputed in the backward pass rather than kept:
            less memory, for larger batches and pictures, and somewhat more time. For the networks of pix2pix.

    Raises:
        ValueError: both ``compile`` and ``recompute``; in training: ``recompute`` for networks without ``Layers``.
    """

    def __init__(self, compile: bool = False, channels_last: bool = False, recompute: bool = False) -> None:
        if compile and recompute:
            raise ValueError("networks.recompute goes without networks.compile, which chooses by itself what it keeps")
        self.compile = compile
        self.channels_last = channels_last
        self.recompute = recompute

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do so."""
        assert isinstance(pl_module, Model), "the applications' models name their networks"
        if self.recompute:
            parts = [part for network in pl_module.networks for part in network.modules() if isinstance(part, Layers)]
            if not parts:
                raise ValueError("networks.recompute: these networks cannot; it is for those of pix2pix")
            for part in parts:
                part.recompute = True
        for network in pl_module.networks:
            if self.channels_last:
                network.to(memory_format=torch.channels_last)
            if self.compile:
                network.compile()
