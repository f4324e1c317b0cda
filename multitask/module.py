"""Several tasks on one encoder as a LightningModule."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from inference import build, factory, recipe_of
from inference.picture_table import Better
from inference.sizes import Size, height_width, pad, padded_size
from losses import FixedWeighting, Weighting
from losses.weighting import Likelihood
from multitask.attention import TaskAttention
from multitask.checks import TargetChecks
from multitask.data import SceneData
from multitask.drawing import draw_tasks, legend_of
from multitask.encoders import Encoder
from multitask.guide import Guide
from multitask.metrics import TaskMetrics
from multitask.neck import Neck
from multitask.picture_metrics import measure_pictures, picture_metrics
from multitask.survey import survey
from multitask.tasks import Task
from multitask.tasks.parts import apart, likelihoods_of
from multitask.tasks.task import DenseHead, build_task
from training import Model
from training.data import Split
from training.failures import say
from training.model import BuffersKept

Batch = Mapping[str, Any]
Attention = Literal["mtan"]
Upsampling = Literal["bilinear", "guided"]
WeightingOfTasks = Callable[[Mapping[str, Likelihood]], Weighting]


class MultiTask(Model):
    r"""One encoder, and a head for each of several tasks, trained on :math:`\sum_i w_i L_i`.

    The weights are a weighting's (see ``losses.Weighting``), which learns once for each step of the optimizer.
    Optimization is automatic: the trainer's precision, ``gradient_clip_val``, ``accumulate_grad_batches`` and strategy
    all apply.

    A weighting that asks for it (``losses.FAMO``) sees the losses of the same batches again after the optimizer's step:
    a second forward pass, without gradients, in which batch norm works as in training but keeps its statistics. With
    accumulated batches, all of them stay in memory until then.

    A batch is a mapping with ``image``, N x 3 x H x W in [0, 1], and the targets of the tasks. A task whose target is
    missing from a batch is absent there: it costs nothing, and its weighting does not move.

    A task whose loss has parts that are weighted separately, such as ``Detection(parts="apart")``, is called TASK_PART
    in training, once for each part, and TASK in evaluation, with their sum.

    Logged for a batch when a row is due (see ``log_step``): train/TASK (the loss without its weight), weighted/TASK
    (with it), train/total, lr/AdamW, and what the weighting reports (weight/TASK and more); in evaluation val/TASK or
    test/TASK, their sum val/loss, and each task's metrics, such as val/seg/miou. The total may fall below 0 and depends
    on the weights: watch the others.

    Args:
        encoder: computes the features.
        tasks: the tasks, by the names that they are logged under; null instead of a task removes it.
        weighting: balances the losses: ``losses.FixedWeighting`` (equal weights unless it is given others),
            ``losses.GradNorm``, ``losses.UncertaintyWeighting`` or another, each with its options. It is built with the
            names of the tasks and the likelihoods that fit their losses.
        channels: of the features that all tasks share, at least 1.
        stride: of the shared features: one of the encoder's strides; coarser levels are merged into it (see ``Neck``).
            A small one makes sharp predictions; null is the finest.
        attention: ``mtan`` lets each task attend to its own part of the shared features (see ``TaskAttention``); null
            gives all of them to every head as they are.
        upsampling: how predictions of every pixel get from ``stride`` to the size of the picture: ``bilinear``, or
            ``guided`` along the edges of the picture (see ``Guide``), which draws the outlines of what is in it.
        lr: learning rate of AdamW, > 0; it falls to 0 along a half cosine over the run.
        weight_decay: of AdamW, >= 0.

    Raises:
        ValueError: no task, a name of a task that cannot be logged, or an option outside its range; in training: a
            target that does not fit, with the name of its scene, or a task of which no scene has the target.
    """

    def __init__(
        self,
        encoder: Encoder,
        tasks: dict[str, Task | None],
        weighting: WeightingOfTasks = FixedWeighting,
        *,
        channels: int = 128,
        stride: int | None = None,
        attention: Attention | None = None,
        upsampling: Upsampling = "bilinear",
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        left_out = [name for name, task in tasks.items() if task is None]
        given = {name: task for name, task in tasks.items() if task is not None}
        self.save_hyperparameters(ignore=["encoder", "tasks", "weighting"], logger=False)
        self.save_hyperparameters(
            {
                "encoder": encoder.recipe(),
                "tasks": {name: task.recipe() for name, task in given.items()},
                "weighting": recipe_of(weighting, Weighting),
            },
            logger=False,
        )
        if not given:
            raise ValueError("tasks must be one or more; got none")
        for name in given:
            if not name.isidentifier() or name in ("loss", "total"):
                raise ValueError(f"a task's name must be of letters, digits and _, not loss or total; got {name!r}")
        for name, value, smallest in ("channels", channels, 1), ("lr", lr, 0), ("weight_decay", weight_decay, 0):
            if not value >= smallest:
                raise ValueError(f"{name} must be at least {smallest}; got {value}")
        if attention not in (None, *get_args(Attention)):
            raise ValueError(f"attention must be mtan or null; got {attention!r}")
        if upsampling not in get_args(Upsampling):
            raise ValueError(f"upsampling must be bilinear or guided; got {upsampling!r}")
        self.encoder = encoder
        self.neck = Neck(encoder.channels, encoder.strides, channels, stride)
        self.upsampling = upsampling
        self.tasks = nn.ModuleDict(given)
        self.attention = nn.ModuleDict({name: TaskAttention(channels) for name in given} if attention else {})
        self.heads = nn.ModuleDict({name: task.build_head(channels) for name, task in given.items()})
        try:
            self.weighting = weighting(likelihoods_of(given))
        except ValueError as error:
            raise ValueError(f"{error}; left out: {', '.join(left_out)}" if left_out else str(error)) from None
        self.measured = False  # the training targets, as they were before the first step
        self.resize: Size | None = None  # what the scenes of the training were resized to
        self._to_observe: list[Batch] = []  # the batches since the last step, for weightings that ask for them
        self.lr = lr
        self.weight_decay = weight_decay
        self.to(memory_format=torch.channels_last)  # convolutions are faster in it, and bring pictures to it
        self.val_metrics = TaskMetrics(given)
        self.test_metrics = TaskMetrics(given)

    @classmethod
    def build_parts(cls, hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Build the encoder, the tasks and what builds the weighting."""
        return {
            "encoder": build(hyper_parameters["encoder"], Encoder),
            "tasks": {name: build_task(recipe) for name, recipe in hyper_parameters["tasks"].items()},
            "weighting": factory(hyper_parameters["weighting"], Weighting),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the size of its scenes, and find the weights that had other names before 0.2.0."""
        super().on_load_checkpoint(checkpoint)
        self.measured = True
        self.resize = height_width("resize", (checkpoint.get("data") or {}).get("resize"))
        state = checkpoint["state_dict"]
        for key in list(state):
            moved = re.sub(r"^tasks\.(\w+)\.head\.", r"heads.\1.", key)
            moved = re.sub(r"^neck\.(\d)", r"neck.last.\1", moved)
            if moved != key:
                state[moved] = state.pop(key)

    def forward(self, images: Tensor, size: Size | None = None) -> dict[str, Any]:
        """Predict everything for pictures N x 3 x H x W, of any size.

        They are padded to what the encoder takes, by reflection, and predictions are cropped.

        Args:
            images: in [0, 1].
            size: height and width that the predictions are brought to, if the images were resized before.
        """
        inside = _size_of(images)
        return self.at_size(self.predict_padded(self._padded(images)), inside, size or inside)

    def predict_padded(self, images: Tensor) -> dict[str, Any]:
        """Predict everything for pictures N x 3 x H x W whose sides are multiples of the encoder's stride."""
        features, guide = self._features(images), self._guide(images)
        return {name: self._head(name, features, _size_of(images), guide) for name in self.heads}

    def at_size(self, predictions: Mapping[str, Any], inside: Size, size: Size) -> dict[str, Any]:
        """Return predictions for pictures of ``size``, of those for the same resized to ``inside`` and then padded."""
        return {name: task.at_size(predictions[name], inside, size) for name, task in self.named_tasks().items()}

    def values(self, images: Tensor, size: Size | None = None) -> dict[str, Any]:
        """Predict as :meth:`forward`, and decode: for each task, by its name, values in the form of its target."""
        return self.decode(self(images, size))

    def decode(self, predictions: Mapping[str, Any]) -> dict[str, Any]:
        """Return what predictions say: for each task, by its name, values in the form of its target."""
        return {name: task.decode(predictions[name]) for name, task in self.named_tasks().items()}

    def _padded(self, images: Tensor) -> Tensor:
        fits = padded_size(_size_of(images), self.encoder.stride) == _size_of(images)
        return images if fits else pad(images, self.encoder.stride)

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.neck(self.encoder(self._padded(images)))
        return features

    def _guide(self, images: Tensor) -> Guide | None:
        return Guide.of(self._padded(images), self.neck.stride) if self.upsampling == "guided" else None

    def _head(self, name: str, features: Tensor, size: Size, guide: Guide | None) -> Any:
        head, own = self.heads[name], self.attention[name](features) if self.attention else features
        return head(own, size) if guide is None or not isinstance(head, DenseHead) else head(own, size, guide)

    def _parameters_of(self, name: str) -> list[nn.Parameter]:
        """The parameters of a task: of its head, and of its attention."""
        own = [parts[name] for parts in (self.attention, self.heads) if name in parts]
        return [parameter for part in own for parameter in part.parameters()]

    @property
    def networks(self) -> list[nn.Module]:
        """Encoder, neck and heads, and the tasks' attention if there is any."""
        return [self.encoder, self.neck, *self.attention.values(), *self.heads.values()]

    def named_tasks(self) -> dict[str, Task]:
        """Return the tasks by their names."""
        return cast(dict[str, Task], dict(self.tasks.items()))

    def setup(self, stage: str) -> None:
        """Require that each task finds its target somewhere, before anything starts, and let the data check all."""
        if isinstance(data := self.data, SceneData):
            data.check = TargetChecks(self.named_tasks())
            self.resize = data.resize
            needed: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
            for split in needed.get(stage, ()):
                data.check_targets(split, {name: task.target for name, task in self.named_tasks().items()})

    # --- training

    def on_fit_start(self) -> None:
        """Let the tasks start from what the training targets hold, and print it; not a model out of a checkpoint."""
        if self.measured:
            return
        tasks, found = self.named_tasks(), None
        if isinstance(self.data, SceneData) and self.trainer.is_global_zero:
            found = survey(self.data, tasks)
        if (found := self.trainer.strategy.broadcast(found)) is not None:  # the same in all processes
            words = {name: task.start_from(found.totals[name], self.heads[name]) for name, task in tasks.items()}
            say("\n".join(found.table(words)))
        self.measured = True

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the total of the tasks that have a target in this batch."""
        self._check(batch)
        losses = self._losses_of(batch)
        total: Tensor = self.weighting(losses)
        if self.weighting.observes:
            self._to_observe.append(batch)
        report = self.weighting.report()
        rate = torch.tensor(self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log_step({f"train/{name}": loss for name, loss in losses.items()})
        self.log_step({f"weighted/{name}": report[f"weight/{name}"] * loss.detach() for name, loss in losses.items()})
        self.log_step({"train/total": total, "lr/AdamW": rate, **report})
        # Heads without a target contribute 0: processes with other targets wait for their gradients.
        unused = [name for name, task in self.named_tasks().items() if task.target not in batch]
        return total + 0 * sum(parameter.sum() for name in unused for parameter in self._parameters_of(name))

    def _losses_of(self, batch: Batch) -> dict[str, Tensor]:
        return self._losses(batch, self.weighting.branch(self._features(batch["image"]), self.neck.weight))

    def _losses(self, batch: Batch, views: Mapping[str, Any]) -> dict[str, Tensor]:
        """The losses of a batch by the names of the weighting: of tasks, or of their parts."""
        size, guide = _size_of(batch["image"]), self._guide(batch["image"])
        losses: dict[str, Tensor] = {}
        for name, task in self.named_tasks().items():
            if task.target in batch:

                def run(features: Any, name: str = name) -> Any:
                    prediction = self._head(name, features, padded_size(size, self.encoder.stride), guide)
                    return self._loss(name, self.named_tasks()[name].at_size(prediction, size, size), batch)

                if task.parts:
                    own = {part: views[f"{name}_{part}"] for part in task.parts}
                    parts = apart(run, own, self._parameters_of(name))
                    losses |= {f"{name}_{part}": loss for part, loss in parts.items()}
                else:
                    losses[name] = run(views[name])
        return losses

    def _check(self, batch: Batch) -> None:
        """Check the targets of a batch that no data module of ours has checked where it was loaded."""
        if not isinstance(self.data, SceneData):
            TargetChecks(self.named_tasks())(batch)

    def _loss(self, name: str, prediction: Any, batch: Batch) -> Tensor | Mapping[str, Tensor]:
        task = self.named_tasks()[name]
        try:
            return task.loss(prediction, batch[task.target])
        except ValueError as error:
            raise ValueError(f"task {name}, {task.target}: {error}") from None

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Let the weighting learn, once for each step of the optimizer; not if a loss scaler will skip that step."""
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
            if not torch.stack([gradient.isfinite().all() for gradient in gradients]).all():
                self.weighting.skip()
                self._to_observe.clear()
                return
        self.weighting.step()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step; and tell a weighting that asks for it what the losses of the same batches are after the step."""
        super().optimizer_step(*args, **kwargs)
        if self._to_observe:
            batches, self._to_observe = self._to_observe, []
            self.weighting.observe(*self._losses_again(batches))

    @torch.no_grad()
    def _losses_again(self, batches: list[Batch]) -> list[dict[str, Tensor]]:
        """The losses of batches as in training, without leaving a trace: batch norm's statistics stay as they are."""
        with BuffersKept(self), self.trainer.precision_plugin.train_step_context():
            return [self._losses_of(batch) for batch in batches]

    def on_train_epoch_end(self) -> None:
        """End the weighting's epoch."""
        self.weighting.end_epoch()

    # --- evaluation

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate a batch."""
        self._evaluate(batch, self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Evaluate a batch, and return what is predicted for it."""
        return self._evaluate(batch, self.test_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of all batches."""
        self._log_metrics(self.val_metrics, "val")

    def on_test_epoch_end(self) -> None:
        """Log the metrics of all batches."""
        self._log_metrics(self.test_metrics, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Predict a batch: for each task, by its name, values in the form of its target."""
        return self.values(batch["image"])

    def _evaluate(self, batch: Batch, metrics: TaskMetrics) -> dict[str, Any]:
        """Evaluate a batch, and return what the tasks that have a target in it predict."""
        self._check(batch)
        predictions, values = self(batch["image"]), {}
        for name, task in self.named_tasks().items():
            if task.target in batch:
                loss = self._loss(name, predictions[name], batch)
                loss = loss if isinstance(loss, Tensor) else torch.stack(list(loss.values())).sum()
                values[name] = task.decode(predictions[name])
                metrics.update(name, task, loss, values[name], batch[task.target])
        return values

    def _log_metrics(self, metrics: TaskMetrics, stage: str) -> None:
        anywhere = partial(self.trainer.strategy.reduce_boolean_decision, all=False)
        # Equal in all processes already, but Lightning cannot know that.
        self.log_dict({f"{stage}/{key}": value for key, value in metrics.compute(anywhere).items()}, sync_dist=True)

    # --- pictures

    @property
    def picture_metrics(self) -> Mapping[str, Better]:
        """TASK/METRIC of the tasks that measure single pictures."""
        return picture_metrics(self.named_tasks())

    def measure_pictures(self, batch: Batch, outputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Measure each picture of a batch by itself."""
        return measure_pictures(self.named_tasks(), batch, outputs)

    def draw(self, batch: Batch, outputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Draw the images, then target and prediction of each task; gray where there is no target."""
        return draw_tasks(self.named_tasks(), batch, outputs)

    def legend(self) -> dict[str, Tensor]:
        """Return the colors of the classes of all tasks; with the task's name where another has another color."""
        return legend_of(self.named_tasks())

    def configure_optimizers(self) -> Any:
        """Build AdamW and its schedule."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _size_of(images: Tensor) -> Size:
    height, width = images.shape[2:]
    return height, width
