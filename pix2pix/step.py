"""The training step of a generator and a discriminator, with an optimizer each."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.utils.checkpoint import checkpoint

from losses.adversarial import Predictions
from pix2pix.adversary import Adversary
from pix2pix.augmentation import DiffAugment
from pix2pix.chunks import Batch, Chunk, chunks_of, mean_of
from pix2pix.discriminators import Discriminator
from pix2pix.gan_share import gan_share
from pix2pix.generators import Generator
from pix2pix.objective import GAN, Terms
from pix2pix.schedule import learning_rate_factor
from pix2pix.stepping import before_step, frozen
from training import Model
from training.model import BuffersKept


class AdversarialModel(Model):
    """A generator and a discriminator that are trained against each other; the base of :class:`Pix2Pix`.

    Attributes:
        generator: G.
        discriminator: D.
        objective: the terms of G's loss.
        adversary: the losses of D, and the GAN loss of G.
        skipped: how many steps of G and D were left out, a scalar.
        wants_gan_share: whether the next step of G is to measure ``gan_share``.
        gan_share: the GAN loss's share of the gradients at G's output, a scalar, when it was last measured.
    """

    generator: Generator
    discriminator: Discriminator
    objective: Terms
    adversary: Adversary
    skipped: Tensor
    wants_gan_share = False
    gan_share: Tensor | None = None
    augmentation: DiffAugment | None
    recalibrated: bool  # whether the running statistics are; training moves them away
    conditional: bool
    d_steps: int
    warm_up_epochs: int
    accumulate: int
    clip_norm: float | None
    lr_generator: float
    lr_discriminator: float
    betas: tuple[float, float]
    constant_epochs: int
    decay_epochs: int

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train D, then G, on one batch."""
        self.recalibrated = False  # the running statistics move on
        chunks = chunks_of(batch, self.accumulate)
        made = [self._make(chunk) for chunk in chunks]  # once: D and G's loss see the same pictures
        if adversarial := self.current_epoch >= self.warm_up_epochs:
            for _ in range(self.d_steps):
                self._update_discriminator(chunks, [picture.detach() for picture in made])
        self._update_generator(chunks, made, adversarial)

    def _make(self, chunk: Chunk) -> Tensor:
        if self.accumulate == 1:
            made: Tensor = self.generator(chunk.source)
        else:  # one chunk at a time is in memory: G's backward pass runs it again, with the same dropout
            made = checkpoint(
                self.generator,
                chunk.source,
                use_reentrant=False,
                context_fn=lambda: (nullcontext(), BuffersKept(self.generator)),
            )
        require_shape(made, chunk.target)
        return made if chunk.known is None else torch.where(chunk.known, made, chunk.target)

    def _update_discriminator(self, chunks: Sequence[Chunk], made: Sequence[Tensor]) -> None:
        _, optimizer = self.trainer.optimizers
        optimizer.zero_grad()
        logged = []
        for chunk, picture in zip(chunks, made, strict=True):
            judge = partial(self._judge, chunk.source)
            loss, found = self.adversary.of_discriminator(judge, chunk.target, picture, self.trainer.global_step)
            self.manual_backward(loss * chunk.share if len(chunks) > 1 else loss)
            logged.append(found)
        # Through the strategy, as Lightning's optimizers do it themselves, but uncounted: see the class's docstring.
        self.trainer.strategy.optimizer_step(optimizer, closure=lambda: None)
        self.log_step({f"train/D_{name}": value for name, value in mean_of(logged, chunks).items()})

    def _update_generator(self, chunks: Sequence[Chunk], made: Sequence[Tensor], adversarial: bool) -> None:
        optimizer, _ = self.optimizers()  # type: ignore[attr-defined]
        logged = []
        with frozen(self.discriminator):
            optimizer.zero_grad()
            for chunk, picture in zip(chunks, made, strict=True):
                views = self.objective.branch(picture, self.generator)
                losses = self._generator_losses(chunk, views, adversarial)
                total = self.objective.total(losses, self.current_epoch - self.warm_up_epochs)
                if self.wants_gan_share and adversarial:
                    self._measure_gan_share(losses, views)
                self.manual_backward(total * chunk.share if len(chunks) > 1 else total)
                logged.append({name: loss.detach() for name, loss in losses.items()})
            optimizer.step()
        found = mean_of(logged, chunks)
        self.log_step({f"train/G_{name}": value for name, value in found.items()} | {"train/skipped": self.skipped})
        if self.objective.weighting is not None:
            self.log_step(self.objective.weighting.report())

    def _measure_gan_share(self, losses: Mapping[str, Tensor], views: Mapping[str, Tensor]) -> None:
        self.wants_gan_share = False
        epoch, weighting = self.current_epoch - self.warm_up_epochs, self.objective.weighting
        learned = {} if weighting is None else weighting.report()
        weights = {name: self.objective.factor(name, epoch) * learned.get(f"weight/{name}", 1) for name in losses}
        if (scaler := getattr(self.trainer.precision_plugin, "scaler", None)) is not None:
            losses = {name: scaler.scale(loss) for name, loss in losses.items()}  # fp16 would round small ones to 0
        self.gan_share = gan_share(losses, views, weights)

    def _generator_losses(self, chunk: Chunk, views: Mapping[str, Tensor], adversarial: bool) -> dict[str, Tensor]:
        """The terms of G's loss before their weights, each of its view of G's output; all or none that need D."""
        judged: dict[int, Predictions] = {}  # views are the same tensor unless a weighting looks at their gradients

        def judge(view: Tensor) -> Predictions:
            if id(view) not in judged:
                judged[id(view)] = self._judge(chunk.source, view, features=self.objective.matches_features)
            return judged[id(view)]

        @cache
        def on_target() -> Predictions:
            with torch.no_grad():
                return self._judge(chunk.source, chunk.target, features=self.objective.matches_features)

        losses: dict[str, Tensor] = {}
        if adversarial:
            losses[GAN] = self.adversary.of_generator(judge(views[GAN]), on_target)
        for name in self.objective.losses:
            if adversarial or not self.objective.needs_discriminator(name):
                of_d = partial(lambda view: (judge(view), on_target()), views[name])
                losses[name] = self.objective.compute(name, views[name], chunk.target, chunk.known, of_d)
        return losses

    def _judge(self, source: Tensor, picture: Tensor, features: bool = False) -> Predictions:
        if self.augmentation is not None:
            source, picture = self.augmentation(source, picture)
        seen = torch.cat([source, picture], 1) if self.conditional else picture
        prediction: Predictions = self.discriminator.features(seen) if features else self.discriminator(seen)
        return prediction

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients; leave out a step whose gradients are not finite; let the weighting learn before G's."""
        skipped = before_step(optimizer, getattr(self.trainer.precision_plugin, "scaler", None), self.clip_norm)
        self.skipped.add_(skipped)
        if self.objective.weighting is not None and optimizer is self.trainer.optimizers[0]:
            self.objective.weighting.step()

    def configure_optimizers(self) -> list[Optimizer]:
        """Build G's and D's Adam, fused where torch has that; G's trains what its terms learn, too."""
        adam = partial(Adam, betas=self.betas, fused=self.device.type in ("cpu", "cuda", "mps", "xpu"))
        return [
            adam([*self.generator.parameters(), *self.objective.parameters()], lr=self.lr_generator),
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


def require_shape(output: Tensor, target: Tensor) -> None:
    """Require an output in the shape of its target.

    Raises:
        ValueError: it has another.
    """
    if output.shape != target.shape:
        made, wanted = (" x ".join(map(str, shape[1:])) for shape in (output.shape, target.shape))
        raise ValueError(
            f"the generator makes pictures of {made} (channels x height x width) while the targets are {wanted}: "
            "set its out_channels, or the data's target_channels"
        )
