"""What a run of several tasks adds to every run."""

from typing import Literal

from lightning.pytorch.callbacks import Callback

from multitask.baselines import measure_baselines
from multitask.bootstrap import Bootstrap
from multitask.data import SceneData
from multitask.doctor import glance
from multitask.health import MultiTaskHealth
from multitask.module import MultiTask
from training import CommandLine
from training.callbacks import Panels
from training.doctor import Finding


class MultiTaskCommands(CommandLine):
    """``fit``, ``validate`` and ``test`` of several tasks."""

    program = "multitask"
    model_type = MultiTask
    data_type = SceneData
    demo = "rooms"
    remedy = "lower --model.lr, clip gradients with --trainer.gradient_clip_val 1, or take --trainer.precision 32-true"
    health = MultiTaskHealth
    max_epochs = 100
    monitor = "val/loss"
    shown = ("train/total", "val/loss")

    def panels(self) -> Panels:
        """Return the panels of ``curves.png``."""
        tasks = self.model.named_tasks()
        panels: dict[str, tuple[str, ...]] = {}
        for name, task in tasks.items():
            trained = [f"train/{name}_{part}" for part in task.parts] or [f"train/{name}"]
            panels[f"{name}: loss"] = (*trained, f"val/{name}")
        for name, task in tasks.items():
            metric = next(iter(task.better))
            panels[f"{name}: {metric}"] = (f"val/{name}/{metric}",)
        for title in ("weight", "weighted", "gradient_norm", "training_rate"):
            panels[title.replace("_", " ")] = (f"{title}/*",)
        return panels

    def callbacks(self) -> list[Callback]:
        """Return the callbacks of every run, and what finds the intervals of a test."""
        return [*super().callbacks(), Bootstrap()]

    def report(self) -> str:
        """Return a table of the test metrics, with their intervals, beside those of the baselines."""
        baselines = measure_baselines(self.datamodule, self.model.named_tasks())
        ours = {key.removeprefix("test/"): value for key, value in self.trainer.callback_metrics.items()}
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        (intervals,) = (each for each in callbacks if isinstance(each, Bootstrap))
        lines = [f"{'test scenes':<24}this model   {'95 % interval':<22}baseline"]
        for task, metrics in ((name, task.better) for name, task in self.model.named_tasks().items()):
            for key in (f"{task}/{metric}" for metric in metrics):
                if key in ours:
                    baseline = f"{baselines[key]:.4f}" if key in baselines else "-"
                    ends = "{:.4f} to {:.4f}".format(*intervals.ends[key]) if key in intervals.ends else "-"
                    lines.append(f"{key:<24}{ours[key].item():10.4f}   {ends:<22}{baseline:>8}")
        return "\n".join(lines)

    def glance(self) -> list[Finding]:
        """Return what is wrong with some of the training scenes."""
        return glance(self.datamodule, self.model.named_tasks())

    def mode_of(self, metric: str) -> Literal["min", "max"]:
        """Return which values of a metric are better."""
        _, _, name = metric.partition("/")
        task, _, own = name.partition("/")
        better = self.model.named_tasks()[task].better if task in self.model.named_tasks() else {}
        return "max" if better.get(own) == "higher" else "min"
