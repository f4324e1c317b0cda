"""How the networks of a run are computed: what is faster on a GPU, and changes no more than rounding."""

import lightning.pytorch as pl
import torch

from training.model import Model
from training.recomputation import Layers


class Networks(pl.Callback):
    """Compile the networks, or lay out their weights otherwise, when training begins.

    What is computed is the same up to rounding, and with ``recompute`` to the bit. Checkpoints know nothing of it: any
    run can go on from them.

    Args:
        compile: whether torch.compile makes one program of each network, in the first step and whenever pictures of
            another size come: minutes, which pay on a GPU and in long runs.
        channels_last: whether weights and feature maps lie with the channels of a pixel side by side, as the tensor
            cores of a GPU want them. multitask always has them so.
        recompute: whether feature maps between two convolutions are computed again in the backward pass rather than
            kept: less memory, for larger batches and pictures, and somewhat more time. For the networks of pix2pix.

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
