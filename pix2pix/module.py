"""pix2pix as a LightningModule: the networks, their two optimizers, and the step that trains them."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any, TypeVar

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from inference import InferenceMode, Preset, as_mode, as_recipes, build, factory, from_recipes, recipe_of, run
from inference.picture_table import Better
from inference.pictures import as_rgb, paint
from losses import Weighting
from losses.convention import Loss
from pix2pix.adversary import AdversarialMode, Adversary
from pix2pix.augmentation import DiffAugment
from pix2pix.chunks import Batch
from pix2pix.data import PairedImages
from pix2pix.data.formats import PairFormats
from pix2pix.discriminators import Discriminator
from pix2pix.generators import Generator
from pix2pix.metrics import ImageMetrics, unit_range
from pix2pix.objective import Terms, WeightingOfTerms
from pix2pix.penalties import Penalty
from pix2pix.picture_metrics import BETTER, measure_pictures
from pix2pix.recalibration import Recalibration
from pix2pix.step import AdversarialModel, require_shape
from pix2pix.trained import RECALIBRATED, require_recalibrated
from pix2pix.translator import Translator

PARTS = ("terms", "penalties", "augmentation", "weighting")  # of the objective, which a checkpoint holds as recipes
SKIPPED = "skipped_steps"
Part = TypeVar("Part")


class Pix2Pix(AdversarialModel):
    r"""Paired image-to-image translation (Isola et al. 2017).

    The discriminator D learns to tell :math:`(x, y)` from :math:`(x, G(x))`; the generator G learns to fool it and to
    stay close to the target:

    .. math:: L_D = \tfrac12 (\ell(D(x, y), 1) + \ell(D(x, G(x)), 0)), \quad
              L_G = \ell(D(x, G(x)), 1) + \lambda \lVert y - G(x) \rVert_1

    Both losses may have more terms, and a weighting may balance those of G (see ``terms``, ``weighting`` and
    ``penalties``).

    One step is one batch: G runs once; D steps on its output (detached) and on the target; G steps against the
    updated, frozen D. Learning rates are constant for ``constant_epochs`` epochs, then fall linearly towards 0. If the
    gradients of G or of D are not finite, that network skips the step.

    The trainer's steps are batches: D's optimizer steps through the strategy, which the trainer does not count, so
    ``max_steps``, ``global_step`` in checkpoints and ``every_n_train_steps`` count G's steps, one for each batch.

    Logged for a batch when a row is due (see ``log_step``): train/G_gan, train/G_l1 and train/G_TERM (without their
    weights), train/D_real, train/D_fake (before halving; in ``relativistic`` train/D_pairs), train/D_output_real and
    train/D_output_fake (D's mean scores), train/D_accuracy_real and train/D_accuracy_fake (the shares of scores on the
    right side, see ``Adversary.accuracies``), in ``wgan`` train/D_penalty, and train/D_PENALTY (without its weight);
    what the weighting reports (weight/TERM and more); train/skipped, how many steps of G and D were skipped so far;
    for each epoch the learning rates; and in evaluation l1, mae_units, psnr and ssim with the prefix val/ or test/ (see
    ``ImageMetrics``).

    If a batch marks its ``known`` pixels, the others count in no loss and no metric; D sees the same values there in
    real and generated pictures.

    Args:
        generator: the network that translates.
        discriminator: the network that judges; its input channels are those of input and output together, or
            without ``conditional`` those of the output alone.
        gan_mode: the adversarial loss: vanilla, lsgan, wgan or hinge (see ``losses.GANLoss``), or relativistic (see
            ``losses.RelativisticGANLoss``). lsgan is more stable when D wins. wgan adds the gradient penalty of
            WGAN-GP. Use relativistic with the penalties R1 and R2. All these penalties need a discriminator without
            batch norm.
        lambda_l1: weight of the L1 term, at least 0; 100 is the paper's.
        label_smoothing: D's label for real pictures is 1 minus this, in [0, 1); for vanilla and lsgan.
        penalty_weight: weight of the gradient penalty in mode wgan, at least 0.
        conditional: whether D sees the input beside the picture that it judges.
        lr_generator: learning rate of G's Adam.
        lr_discriminator: learning rate of D's Adam.
        beta1: decay of the first moment, in both Adams.
        beta2: decay of the second moment, in both Adams.
        constant_epochs: how many epochs the learning rates stay constant.
        decay_epochs: how many epochs they then fall; the last of them still has 1 / (decay_epochs + 1) of the rate.
        terms: further losses of the package ``losses``, by names of your own; null instead of one removes it. They see
            G's output and the target in [-1, 1]; ``FeatureMatchingLoss`` sees D's feature maps, ``TotalVariationLoss``
            the output alone.
        weights: of ``gan`` and of the terms, at least 0, by their names; 1 for those that are not named.
        ramps: over how many epochs, at least 1, the weights of ``gan``, ``l1`` or other terms rise linearly to their
            values, by the names of the terms.
        weighting: balances the weighted terms as tasks: ``losses.GradNorm``, which measures at G's last layer,
            ``losses.UncertaintyWeighting`` or another, each with its options. null adds the terms up.
        penalties: added to D's loss, by names of your own: ``pix2pix.R1``, ``pix2pix.R2``, ``pix2pix.LeCam``; null
            instead of one removes it.
        augmentation: ``pix2pix.DiffAugment`` randomly changes what D sees, for few pairs; null changes nothing.
        d_steps: updates of D in a step, all on the same pictures, at least 1.
        warm_up_epochs: for how many epochs G first trains without D, at least 0; ramps begin after them.
        clip_norm: the largest norm > 0 of the gradients of G, and of those of D; null does not clip.
        accumulate: in how many parts a batch goes through the networks, one after the other, to save memory, at least
            1. Each network steps once, on the mean of the parts' losses. G runs twice for this. Batch norm sees each
            part by itself.
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
        gan_mode: AdversarialMode = "vanilla",
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
        terms: dict[str, Loss | None] | None = None,
        weights: dict[str, float] | None = None,
        ramps: dict[str, int] | None = None,
        weighting: WeightingOfTerms | None = None,
        penalties: dict[str, Penalty | None] | None = None,
        augmentation: DiffAugment | None = None,
        d_steps: int = 1,
        warm_up_epochs: int = 0,
        clip_norm: float | None = None,
        accumulate: int = 1,
        inference: Preset | InferenceMode = "standard",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.recalibrated = False
        self.inference = as_mode(inference)
        given = without_nulls(terms)
        added = without_nulls(penalties)
        left_out = (terms or {}).keys() - given.keys()  # a configuration may still name their weights
        factors = {name: weight for name, weight in (weights or {}).items() if name not in left_out}
        rising = {name: epochs for name, epochs in (ramps or {}).items() if name not in left_out}
        self.save_hyperparameters(ignore=["generator", "discriminator", "inference", *PARTS], logger=False)
        self.save_hyperparameters(
            {
                "generator": generator.recipe(),
                "discriminator": discriminator.recipe(),
                "terms": as_recipes(given),
                "penalties": as_recipes(added),
                "augmentation": None if augmentation is None else augmentation.recipe(),
                "weighting": None if weighting is None else recipe_of(weighting, Weighting),
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
            warm_up_epochs=warm_up_epochs,
        )
        for name, value in ("d_steps", d_steps), ("accumulate", accumulate):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, or null; got {clip_norm}")
        _check_channels(generator, discriminator, conditional)
        if gan_mode == "wgan" and any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()):
            rank_zero_warn(
                "gan_mode wgan: the gradient penalty is defined per picture, and batch norm in the discriminator "
                "couples the pictures of a batch; set the discriminator's norm to instance or none"
            )

        self.generator = generator
        self.discriminator = discriminator
        self.adversary = Adversary(gan_mode, label_smoothing, penalty_weight, added)
        self.objective = Terms(lambda_l1, given, factors, rising, weighting)
        if self.objective.matches_features:
            discriminator.require_features()
        if self.objective.matches_features and augmentation is not None:
            raise ValueError(
                "a term that matches features goes with no augmentation, which changes each picture its own way"
            )
        self.augmentation = augmentation
        self.conditional = conditional
        self.d_steps = d_steps
        self.warm_up_epochs = warm_up_epochs
        self.clip_norm = clip_norm
        self.accumulate = accumulate
        self.register_buffer("skipped", torch.zeros(()), persistent=False)  # steps of G and D, counted
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
        """Build the networks, the terms of their losses, and the mode of inference."""
        weighting, augmentation = hyper_parameters.get("weighting"), hyper_parameters.get("augmentation")
        return {
            "generator": build(hyper_parameters["generator"], Generator),
            "discriminator": build(hyper_parameters["discriminator"], Discriminator),
            "terms": from_recipes(hyper_parameters.get("terms"), Loss),
            "penalties": from_recipes(hyper_parameters.get("penalties"), Penalty),
            "augmentation": None if augmentation is None else build(augmentation, DiffAugment),
            "weighting": None if weighting is None else factory(weighting, Weighting),
            "inference": InferenceMode(**hyper_parameters.get("inference", {})),
        }

    def forward(self, input: Tensor) -> Tensor:
        """Translate pictures N x C x H x W in [-1, 1], in the model's mode of inference, also while it trains."""
        return run(self.generator, input, self.inference)

    @property
    def networks(self) -> list[nn.Module]:
        """G and D."""
        return [self.generator, self.discriminator]

    @property
    def formats(self) -> PairFormats:
        """The formats of input and target, of the data or a checkpoint, or else 8 bits."""
        if isinstance(data := self.data, PairedImages):
            return data.formats
        return self._formats

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the formats, the count of skipped steps, and whether the running statistics are recalibrated."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[RECALIBRATED] = self.recalibrated  # training moves them away
        checkpoint[SKIPPED] = self.skipped.clone()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the formats, and require recalibrated statistics where the mode has them and no training follows.

        Raises:
            ValueError: they are others.
        """
        super().on_load_checkpoint(checkpoint)
        if checkpoint.get("data"):
            self._formats = PairFormats.of(checkpoint["data"])
        self.recalibrated = checkpoint.get(RECALIBRATED, False)
        self.skipped.copy_(checkpoint.get(SKIPPED, 0))
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

    # --- evaluation: all of it goes through forward, and so is in the mode of inference

    def configure_callbacks(self) -> list[Callback]:
        """Bring along what recalibrates, if that is the mode of inference."""
        return [Recalibration()] if self.inference.norm == "recalibrated" else []

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Evaluate a batch of validation pairs, and return its outputs."""
        output = self._measure(self.val_metrics, batch)
        self.log_dict(self.val_metrics)
        return output

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Evaluate a batch of test pairs, and return its outputs."""
        output = self._measure(self.test_metrics, batch)
        self.log_dict(self.test_metrics)
        return output

    def _measure(self, metrics: ImageMetrics, batch: Batch) -> Tensor:
        output = self(batch["input"])
        require_shape(output, batch["target"])
        metrics.update(output, batch["target"], self.formats.target.range, batch.get("known"))
        return output

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Translate one batch: N x C x H x W in [-1, 1], of any size."""
        return self.translator.run(batch["input"])

    # --- pictures

    @property
    def picture_metrics(self) -> Mapping[str, Better]:
        """L1, L1 in the units of the files, PSNR and SSIM."""
        return BETTER

    def measure_pictures(self, batch: Batch, outputs: Tensor) -> dict[str, Tensor]:
        """Measure each pair of a batch by itself."""
        return measure_pictures(outputs, batch["target"], self.formats.target.range, batch.get("known"))

    def draw(self, batch: Batch, outputs: Tensor) -> dict[str, Tensor]:
        """Draw inputs, outputs and targets."""
        source, labels = batch["input"], self.formats.input.labels
        first = _drawn(source) if labels is None else paint(source.argmax(1), labels)
        return {"input": first, "output": _drawn(outputs), "target": _drawn(batch["target"])}


def without_nulls(given: Mapping[str, Part | None] | None) -> dict[str, Part]:
    """Return what is left of an option whose entries may be null."""
    return {name: part for name, part in (given or {}).items() if part is not None}


def _drawn(pictures: Tensor) -> Tensor:
    return torch.stack([as_rgb(picture) for picture in unit_range(pictures.float())])


def _refuse_negative(**options: float) -> None:
    for name, value in options.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative; got {value}")


def _check_channels(generator: Generator, discriminator: Discriminator, conditional: bool) -> None:
    seen = generator.out_channels + (generator.in_channels if conditional else 0)
    if discriminator.in_channels != seen:
        what = "input and output together" if conditional else "the output alone"
        raise ValueError(f"the discriminator's in_channels must be {seen}, for {what}; got {discriminator.in_channels}")
