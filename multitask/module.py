"""Several tasks on one encoder as a LightningModule."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from losses import FixedWeighting, Weighting
from losses.weighting import Likelihood
from multitask.data import SceneData
from multitask.encoders import Encoder
from multitask.measures import Measures
from multitask.tasks import Task

Batch = Mapping[str, Any]
WeightingOfTasks = Callable[[Mapping[str, Likelihood]], Weighting]


class Neck(nn.Sequential):
    """The last shared layer: what all tasks start from, and where gradients of tasks are compared.

    Args:
        inputs: channels of the encoder's features.
        channels: channels that all heads see.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__(nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())

    @property
    def weight(self) -> nn.Parameter:
        """The weight of the convolution."""
        return cast(nn.Parameter, self[0].weight)


class MultiTask(pl.LightningModule):
    r"""One encoder, and a head for each of several tasks, trained on :math:`\sum_i w_i L_i`.

    The weights are a weighting's (see ``losses.Weighting``), which learns once for each step of the optimiser.
    Optimisation is automatic: the trainer's precision, ``gradient_clip_val``, ``accumulate_grad_batches`` and strategy
    all apply.

    A batch is a mapping with ``image``, N x 3 x H x W in [0, 1], and the targets of the tasks. A task whose target is
    missing from a batch is absent there: it costs nothing, and its weighting does not move.

    Logged for each batch: train/TASK (the loss before its weight), weighted/TASK (after it), train/total, and what the
    weighting reports (weight/TASK and more); in evaluation val/TASK or test/TASK, their sum val/loss, and each task's
    measures, such as val/seg/miou. The total may fall below 0 and depends on the weights: watch the others.

    Args:
        encoder: makes the features.
        tasks: the tasks, by the names that they are logged with.
        weighting: balances the losses: ``losses.FixedWeighting`` (equal weights unless it is given others),
            ``losses.GradNorm``, ``losses.UncertaintyWeighting`` or another, each with its options. It is made with the
            names of the tasks and the likelihoods that fit their losses.
        channels: of the neck between the encoder and the heads, at least 1.
        lr: learning rate of AdamW, > 0; it falls to 0 along a half cosine over the training.
        weight_decay: of AdamW, >= 0.

    Raises:
        ValueError: no task, a name of a task that cannot be logged, or an option outside its range; in training: a
            target that does not fit, with the name of its scene, or a task of which no scene has the target.
    """

    def __init__(
        self,
        encoder: Encoder,
        tasks: dict[str, Task],
        weighting: WeightingOfTasks = FixedWeighting,
        *,
        channels: int = 128,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["encoder", "tasks", "weighting"], logger=False)
        self.save_hyperparameters(
            {
                "encoder": encoder.recipe(),
                "tasks": {name: task.recipe() for name, task in tasks.items()},
                "weighting": recipe_of(weighting),
                "_instantiator": "lightning.pytorch.cli.instantiate_module",  # makes networks of recipes again
            },
            logger=False,
        )
        if not tasks:
            raise ValueError("tasks must be one or more; got none")
        for name in tasks:
            if not name.isidentifier() or name in ("loss", "total"):
                raise ValueError(f"a task's name must be of letters, digits and _, not loss or total; got {name!r}")
        for name, value, smallest in ("channels", channels, 1), ("lr", lr, 0), ("weight_decay", weight_decay, 0):
            if not value >= smallest:
                raise ValueError(f"{name} must be at least {smallest}; got {value}")
        self.encoder = encoder
        self.neck = Neck(encoder.channels, channels)
        self.tasks = nn.ModuleDict(tasks)
        for task in tasks.values():
            task.head = task.make_head(channels)
        self.weighting = weighting({name: task.likelihood for name, task in tasks.items()})
        self.lr = lr
        self.weight_decay = weight_decay
        self.to(memory_format=torch.channels_last)  # with which convolutions are faster, also on a CPU
        self.val_measures = Measures(tasks)
        self.test_measures = Measures(tasks)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predict everything for pictures N x 3 x H x W."""
        features = self._features(images)
        return {name: task(features, images.shape[2:]) for name, task in self.named_tasks().items()}

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.neck(self.encoder(images.contiguous(memory_format=torch.channels_last)))
        return features

    def named_tasks(self) -> dict[str, Task]:
        """Give the tasks by their names."""
        return cast(dict[str, Task], dict(self.tasks.items()))

    def setup(self, stage: str) -> None:
        """Insist that each task finds its target somewhere, before anything starts."""
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, SceneData):
            for split in {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage, ()):
                data.check_targets(split, {name: task.target for name, task in self.named_tasks().items()})

    # --- training

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Give the total of the tasks that have a target in this batch."""
        features = self._features(batch["image"])
        views = self.weighting.branch(features, self.neck.weight)
        losses = self._losses(batch, views)
        total: Tensor = self.weighting(losses)
        report = self.weighting.report()
        self.log_dict({f"train/{name}": loss.detach() for name, loss in losses.items()})
        self.log_dict({f"weighted/{name}": report[f"weight/{name}"] * loss.detach() for name, loss in losses.items()})
        self.log("train/total", total.detach())
        self.log_dict(report)
        # Heads without a target take part with nothing: processes in which others are absent wait for their gradients.
        unused = [task.head for name, task in self.named_tasks().items() if name not in losses]
        return total + 0 * sum(parameter.sum() for head in unused for parameter in head.parameters())

    def _losses(self, batch: Batch, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        size = batch["image"].shape[2:]
        predictions = {
            name: task(features[name], size) for name, task in self.named_tasks().items() if task.target in batch
        }
        return {name: self._loss(name, prediction, batch) for name, prediction in predictions.items()}

    def _loss(self, name: str, prediction: Any, batch: Batch) -> Tensor:
        task = self.named_tasks()[name]
        target = batch[task.target]
        try:
            return task.loss(prediction, target)
        except ValueError as error:
            raise ValueError(f"{self._blame(name, batch)}task {name}, {task.target}: {error}") from None

    @torch.no_grad()
    def _blame(self, name: str, batch: Batch) -> str:
        """Find the first scene of a batch whose target does not fit, by another try with each of them alone."""
        task = self.named_tasks()[name]
        for index, scene in enumerate(batch.get("name", ())):
            alone = slice(index, index + 1)
            try:
                task.loss(self(batch["image"][alone])[name], batch[task.target][alone])
            except ValueError:
                return f"{scene}: "
        return ""

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Let the weighting learn, once for each step of the optimiser; not if a loss scaler will skip that step."""
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
            if not torch.stack([gradient.isfinite().all() for gradient in gradients]).all():
                self.weighting.skip()
                return
        self.weighting.step()

    def on_train_epoch_end(self) -> None:
        """Tell the weighting that an epoch is over."""
        self.weighting.end_epoch()

    # --- evaluation

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure a batch."""
        self._evaluate(batch, self.val_measures)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure a batch."""
        self._evaluate(batch, self.test_measures)

    def on_validation_epoch_end(self) -> None:
        """Log what all batches measured."""
        self._log_measures(self.val_measures, "val")

    def on_test_epoch_end(self) -> None:
        """Log what all batches measured."""
        self._log_measures(self.test_measures, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Predict a batch: for each task, by its name, values in the form of its target."""
        predictions = self(batch["image"])
        return {name: task.decode(predictions[name]) for name, task in self.named_tasks().items()}

    def _evaluate(self, batch: Batch, measures: Measures) -> None:
        predictions = self(batch["image"])
        for name, task in self.named_tasks().items():
            if task.target in batch:
                loss = self._loss(name, predictions[name], batch)
                measures.update(name, task, loss, task.decode(predictions[name]), batch[task.target])

    def _log_measures(self, measures: Measures, stage: str) -> None:
        anywhere = partial(self.trainer.strategy.reduce_boolean_decision, all=False)
        # The same in all processes already, which Lightning cannot know.
        self.log_dict({f"{stage}/{key}": value for key, value in measures.compute(anywhere).items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Make AdamW and its schedule."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def recipe_of(weighting: WeightingOfTasks) -> dict[str, Any]:
    """Tell how to make a weighting, as a configuration does: class_path and init_args.

    Args:
        weighting: a class, or a ``functools.partial`` of one.

    Raises:
        ValueError: it is neither.
    """
    parts = (weighting.func, *weighting.args) if isinstance(weighting, partial) else (weighting,)
    kind = next((part for part in parts if isinstance(part, type) and issubclass(part, Weighting)), None)
    if kind is None:
        raise ValueError(f"weighting must be a class of losses, or a functools.partial of one; got {weighting!r}")
    options = weighting.keywords if isinstance(weighting, partial) else {}
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": dict(options)}
