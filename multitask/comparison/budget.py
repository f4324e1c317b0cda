"""How many steps each variant of a comparison has, if all have the same time."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from inference.configuration import read_yaml
from training import Metrics
from training.comparison.run import Config, Run, with_callback
from training.comparison.schedule import gpus_of_jobs, threads_of_each, visible_gpus

Budget = Literal["steps", "time"]
EQUAL = "equal"  # the variant whose time all have


def steps_in_same_time(out: Path, variants: Mapping[str, Config], jobs: int) -> dict[str, int]:
    """Return how many steps of each variant take the time that equal weights take for the configuration's.

    The time is that of training steps, with what they wait for data. Validation is not in it: it watches a training,
    and how often is no matter of the weighting.

    Variants are measured one after another, each with the threads and the GPU of one of the jobs. With as many
    neighbors as in the comparison a variant's time would depend on which others happen to be measured beside it; the
    neighbors of a run change too, and slow all variants down alike, while only the ratio of their times counts here.

    What was measured is kept in ``out/steps.yaml``, so a comparison that goes on has the same steps.

    Args:
        out: folder of the comparison.
        variants: configurations of fits by their names; that of equal weights is the first.
        jobs: runs at the same time.

    Raises:
        ValueError: a run fails, or is too short to be measured.
    """
    file = out / "steps.yaml"
    known = read_yaml(file) if file.is_file() else {}
    for name, config in variants.items():
        if name not in known:
            seconds, steps = measure(Run("multitask", out, name, 0, config), jobs)
            if name != EQUAL:
                steps = max(1, round(known[EQUAL]["steps"] * known[EQUAL]["seconds"] / seconds))
            known[name] = {"seconds": seconds, "steps": steps}
            file.write_text(yaml.safe_dump(known, sort_keys=False))
            print(f"{name}: {seconds:.3g} seconds a step, {steps} steps", flush=True)
    return {name: known[name]["steps"] for name in variants}


def measure(run: Run, jobs: int) -> tuple[float, int]:
    """Return the seconds of a training step of a run, and how many steps its configuration has.

    Args:
        run: which; nothing is written to its folder.
        jobs: runs at the same time, in the comparison.
    """
    trainer = with_callback(run.config["trainer"], "multitask.comparison.callbacks.StepTimer")
    trainer |= {"limit_val_batches": 0, "enable_checkpointing": False}
    with TemporaryDirectory() as folder:
        trial = replace(run, out=Path(folder), config=run.config | {"trainer": trainer, "wandb": "off"})
        trial.train(threads_of_each(jobs), gpus_of_jobs(jobs, visible_gpus())[0])
        found = Metrics(trial.metrics_file()).last("run/")
    return found["seconds"], int(found["steps"])
