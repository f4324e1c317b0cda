"""pix2pix as a LightningModule: the networks, their two optimizers, and the step that trains them."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any, NotRequired, TypedDict

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from inference import InferenceMode, Preset, as_mode, build, run
from inference.pictures import as_rgb, paint
from losses import GANLoss, at_least_float32, gradient_penalty, l1_loss
from losses.adversarial import GANMode
from pix2pix.data import PairedImages
from pix2pix.data.formats import PairFormats
from pix2pix.discriminators import Discriminator
from pix2pix.generators import Generator
from pix2pix.metrics import ImageMetrics, unit_range
from pix2pix.recalibration import Recalibration
from pix2pix.trained import RECALIBRATED, require_recalibrated
from pix2pix.translator import Translator
from training import Model


class Batch(TypedDict):
    """Inputs and targets, N x C x H x W in [-1, 1], N names, and perhaps N x 1 x H x W: False where unknown."""

    input: Tensor
    target: Tensor
    name: list[str]
    known: NotRequired[Tensor]


class Pix2Pix(Model):
    r"""Paired image-to-image translation (Isola et al. 2017).

    The discriminator D learns to tell :math:`(x, y)` from :math:`(x, G(x))`; the generator G learns to fool it and to
    stay close to the target:

    .. math:: L_D = \tfrac12 (\ell(D(x, y), 1) + \ell(D(x, G(x)), 0)), \quad
              L_G = \ell(D(x, G(x)), 1) + \lambda \lVert y - G(x) \rVert_1

    One step is one batch: G runs once; D steps on its output (detached) and on the target; G steps against the
    updated, frozen D. Learning rates are constant for ``constant_epochs`` epochs, then fall linearly towards 0.

    The trainer's steps are batches: D's optimizer steps through the strategy, which the trainer does not count, so
    ``max_steps``, ``global_step`` in checkpoints and ``every_n_train_steps`` count G's steps, one for each batch.

    Logged for each batch: train/G_gan, train/G_l1 (before lambda), train/D_real, train/D_fake (before the half),
    train/D_output_real and train/D_output_fake (D's mean scores), in ``wgan`` train/D_penalty; for each epoch the
    learning rates; and in evaluation l1, mae_units, psnr and ssim after val/ or test/ (see ``ImageMetrics``).

    Where a batch says which pixels are ``known``, the others count in no loss and no metric; D sees the same there in
    real and made pictures.

    Args:
        generator: the network that translates.
        discriminator: the network that judges; its input channels are those of input and output together, or with
            ``conditional`` off those of the output alone.
        gan_mode: the adversarial loss: vanilla, lsgan, wgan or hinge (see ``losses.GANLoss``). lsgan is calmer when
            D wins. wgan adds the gradient penalty of WGAN-GP, and wants a discriminator without batch norm.
        lambda_l1: weight of the L1 term, at least 0; 100 is the paper's.
        label_smoothing: D is asked for 1 minus this on real pictures, in [0, 1); for vanilla and lsgan.
        penalty_weight: weight of the gradient penalty in mode wgan, at least 0.
        conditional: whether D sees the input beside the picture that it judges.
        lr_generator: learning rate of G's Adam.
        lr_discriminator: learning rate of D's Adam.
        beta1: first moment's decay of both Adams.
        beta2: second moment's decay of both Adams.
        constant_epochs: how many epochs the learning rates stay constant.
        decay_epochs: how many epochs they then fall; the last of them still has 1 / (decay_epochs + 1) of the rate.
        inference: how the generator is used, in validation, test and prediction: ``standard`` (running statistics, no
            dropout), ``paper`` (each picture's own statistics, and dropout), or ``norm`` and ``dropout`` one by one
            (see ``inference.InferenceMode``). With ``norm: recalibrated`` each validation begins with two passes over
            the training pairs.

    Raises:
        ValueError: an option outside its range, or networks whose channels do not fit together.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        gan_mode: GANMode = "vanilla",
        lambda_l1: float = 100.0,
        *,
        label_smoothing: float = 0.0,
        penalty_weight: float = 10.0,
        conditional: bool = True,
        lr_generator: float = 2e-4,
        lr_discriminator: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        inference: Preset | InferenceMode = "standard",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.recalibrated = False
        self.inference = as_mode(inference)
        self.save_hyperparameters(ignore=["generator", "discriminator", "inference"], logger=False)
        self.save_hyperparameters(
            {
                "generator": generator.recipe(),
                "discriminator": discriminator.recipe(),
                "inference": asdict(self.inference),  # not the preset's name: what it means is what was chosen
            },
            logger=False,
        )

        _refuse_negative(
            lambda_l1=lambda_l1,
            penalty_weight=penalty_weight,
            lr_generator=lr_generator,
            lr_discriminator=lr_discriminator,
            constant_epochs=constant_epochs,
            decay_epochs=decay_epochs,
        )
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1); got {label_smoothing}")
        _check_channels(generator, discriminator, conditional)
        if gan_mode == "wgan" and any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()):
            rank_zero_warn(
                "gan_mode wgan: the gradient penalty is defined per picture, and batch norm in the discriminator "
                "couples the pictures of a batch; set the discriminator's norm to instance or none"
            )

        self.generator = generator
        self.discriminator = discriminator
        self.discriminator_loss = GANLoss(gan_mode, real_label=1.0 - label_smoothing)
        self.generator_loss = GANLoss(gan_mode)  # never smoothed: G's target is real, not 0.9
        self.gan_mode = gan_mode
        self.lambda_l1 = lambda_l1
        self.penalty_weight = penalty_weight
        self.conditional = conditional
        self.lr_generator = lr_generator
        self.lr_discriminator = lr_discriminator
        self.betas = (beta1, beta2)
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs
        self._formats = PairFormats.of_networks(generator.in_channels, generator.out_channels)
        self.val_metrics = ImageMetrics("val/")
        self.test_metrics = ImageMetrics("test/")

    @classmethod
    def build_parts(cls, hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Build the generator and the discriminator, and the mode of inference."""
        return {
            "generator": build(hyper_parameters["generator"], Generator),
            "discriminator": build(hyper_parameters["discriminator"], Discriminator),
            "inference": InferenceMode(**hyper_parameters.get("inference", {})),
        }

    def forward(self, input: Tensor) -> Tensor:
        """Translate pictures N x C x H x W in [-1, 1], in the model's mode of inference, also while it trains."""
        return run(self.generator, input, self.inference)

    @property
    def formats(self) -> PairFormats:
        """The formats of input and target, of the data or a checkpoint, or else 8 bits."""
        if isinstance(data := self.data, PairedImages):
            return data.formats
        return self._formats

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the formats, and whether the running statistics are recalibrated: training has moved them away."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[RECALIBRATED] = self.recalibrated

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the formats, and require recalibrated statistics where the mode has them and no training follows.

        Raises:
            ValueError: they are others.
        """
        super().on_load_checkpoint(checkpoint)
        if checkpoint.get("data"):
            self._formats = PairFormats.of(checkpoint["data"])
        self.recalibrated = checkpoint.get(RECALIBRATED, False)
        trains = self._trainer is not None and self._trainer.state.fn == "fit"
        if not trains:
            require_recalibrated(self.inference, self.recalibrated)

    @cached_property
    def translator(self) -> Translator:
        """What translates pictures with this model."""
        return Translator(self, device=str(self.device))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which makes a translator of its own."""
        return {name: value for name, value in super().__getstate__().items() if name != "translator"}

    # --- training

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train D, then G, on one batch."""
        source, target = batch["input"], batch["target"]
        self.recalibrated = False  # the running statistics move on
        fake = self.generator(source)  # once: D and G's loss see the same picture
        _check_shape(fake, target)
        if (known := batch.get("known")) is not None:
            fake = torch.where(known, fake, target)
        self._update_discriminator(source, target, fake.detach())
        self._update_generator(source, target, fake, known)

    def _update_discriminator(self, source: Tensor, target: Tensor, fake: Tensor) -> None:
        # Separately, so that batch norm does not mix real and fake pictures.
        scores_fake = self._judge(source, fake)
        scores_real = self._judge(source, target)
        loss_fake = self.discriminator_loss(scores_fake, target_is_real=False)
        loss_real = self.discriminator_loss(scores_real, target_is_real=True)
        loss = (loss_fake + loss_real) / 2
        if self.gan_mode == "wgan":
            penalty = gradient_penalty(partial(self._judge, source), target, fake, weight=self.penalty_weight)
            loss = loss + penalty
            self.log("train/D_penalty", penalty.detach())

        _, optimizer = self.trainer.optimizers
        optimizer.zero_grad()
        self.manual_backward(loss)
        # Through the strategy, as Lightning's optimizers do it themselves, but uncounted: see the class's docstring.
        self.trainer.strategy.optimizer_step(optimizer, closure=lambda: None)

        self.log_dict(
            {
                "train/D_real": loss_real.detach(),
                "train/D_fake": loss_fake.detach(),
                "train/D_output_real": at_least_float32(scores_real.detach()).mean(),
                "train/D_output_fake": at_least_float32(scores_fake.detach()).mean(),
            }
        )

    def _update_generator(self, source: Tensor, target: Tensor, fake: Tensor, known: Tensor | None) -> None:
        optimizer, _ = self.optimizers()  # type: ignore[attr-defined]
        with self.toggled_optimizer(optimizer):  # D is frozen: it gets no gradients
            loss_gan = self.generator_loss(self._judge(source, fake), target_is_real=True, for_discriminator=False)
            loss_l1 = l1_loss(fake, target, mask=known)
            optimizer.zero_grad()
            self.manual_backward(loss_gan + self.lambda_l1 * loss_l1)
            optimizer.step()

        self.log_dict({"train/G_gan": loss_gan.detach(), "train/G_l1": loss_l1.detach()})

    def _judge(self, source: Tensor, picture: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(torch.cat([source, picture], 1) if self.conditional else picture)
        return scores

    def configure_optimizers(self) -> list[Optimizer]:
        """Build G's and D's Adam, fused where torch has that."""
        adam = partial(Adam, betas=self.betas, fused=self.device.type in ("cpu", "cuda", "mps", "xpu"))
        return [
            adam(self.generator.parameters(), lr=self.lr_generator),
            adam(self.discriminator.parameters(), lr=self.lr_discriminator),
        ]

    def on_train_epoch_start(self) -> None:
        """Set the epoch's learning rates."""
        factor = learning_rate_factor(self.current_epoch, self.constant_epochs, self.decay_epochs)
        rates = self.lr_generator, self.lr_discriminator
        for optimizer, rate in zip(self.trainer.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = factor * rate

    def on_train_epoch_end(self) -> None:
        """Log the learning rates; at the end, as a run resumed in the middle of an epoch has not seen its start."""
        names = ("lr/G", "lr/D")
        rates = [optimizer.param_groups[0]["lr"] for optimizer in self.trainer.optimizers]
        self.log_dict(dict(zip(names, rates, strict=True)), sync_dist=True)  # equal everywhere; Lightning asks for it

    # --- evaluation: all of it goes through forward, and so is in the mode of inference

    def configure_callbacks(self) -> list[Callback]:
        """Bring along what recalibrates, if that is the mode of inference."""
        return [Recalibration()] if self.inference.norm == "recalibrated" else []

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Evaluate a batch of validation pairs, and return its outputs."""
        output = self._measure(self.val_metrics, batch)
        self.log_dict(self.val_metrics)
        return output

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate a batch of test pairs."""
        self._measure(self.test_metrics, batch)
        self.log_dict(self.test_metrics)

    def _measure(self, metrics: ImageMetrics, batch: Batch) -> Tensor:
        output = self(batch["input"])
        _check_shape(output, batch["target"])
        metrics.update(output, batch["target"], self.formats.target.range, batch.get("known"))
        return output

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Translate one batch: N x C x H x W in [-1, 1], of any size."""
        return self.translator.run(batch["input"])

    # --- pictures

    def draw_sample(self, batch: Batch) -> dict[str, Tensor]:
        """Draw input, output and target of a batch of one."""
        source, output, target = batch["input"], self.translator.run(batch["input"]), batch["target"]
        labels = self.formats.input.labels
        first = as_rgb(unit_range(source[0].float())) if labels is None else paint(source.argmax(1), labels)[0]
        shown = {"output": output, "target": target}
        return {"input": first} | {title: as_rgb(unit_range(each[0].float())) for title, each in shown.items()}


def learning_rate_factor(epoch: int, constant_epochs: int, decay_epochs: int) -> float:
    """Return the factor of the learning rate in ``epoch``, counted from 0: 1, then linearly down.

    After ``constant_epochs`` of 1 come ``decay_epochs`` in which it falls by 1 / (decay_epochs + 1) each, so that it
    is not yet 0 in the last. It stays there should the training go on.
    """
    decayed = min(max(0, epoch + 1 - constant_epochs), decay_epochs)
    return 1.0 - decayed / (decay_epochs + 1)


def _refuse_negative(**options: float) -> None:
    for name, value in options.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative; got {value}")


def _check_shape(output: Tensor, target: Tensor) -> None:
    if output.shape != target.shape:
        made, wanted = (" x ".join(map(str, shape[1:])) for shape in (output.shape, target.shape))
        raise ValueError(
            f"the generator makes pictures of {made} (channels x height x width) while the targets are {wanted}: "
            "set its out_channels, or the data's target_channels"
        )


def _check_channels(generator: Generator, discriminator: Discriminator, conditional: bool) -> None:
    seen = generator.out_channels + (generator.in_channels if conditional else 0)
    if discriminator.in_channels != seen:
        what = "input and output together" if conditional else "the output alone"
        raise ValueError(f"the discriminator's in_channels must be {seen}, for {what}; got {discriminator.in_channels}")
