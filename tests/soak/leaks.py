"""A long run, whose memory and open files must not grow."""

import csv
import os
from itertools import combinations
from pathlib import Path
from statistics import median

import lightning.pytorch as pl

from tests.soak.runs import Row, Trial
from tests.soak.workers import children

FILE = "use.csv"
EPOCHS = 10
WARM = 4  # epochs: memory that is reused later, and pictures that are kept once
TOLERANCE = 1.0  # kB of memory in a step, less than a picture


class Use(pl.Callback):
    """Write down after each epoch the resident memory of all its processes in kB, and how many files it has open.

    Pages that processes share count in each: a share of them would change as others write to theirs.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        batches = trainer.fit_loop.total_batch_idx + 1
        memory = sum(map(memory_of, [os.getpid(), *children(os.getpid())]))
        with open(FILE, "a") as file:
            csv.writer(file).writerow([batches, memory, len(os.listdir("/proc/self/fd"))])


def memory_of(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def watch(program: str, folder: Path, steps: int) -> Row:
    """Train for as many batches, and look how memory and files change over them.

    The slope is the median of those between each two epochs, which a single jump of the allocator does not move.
    """
    use = {"class_path": "tests.soak.leaks.Use"}
    trial = Trial(program, folder, "long", steps // EPOCHS * 2, save_every=None, max_epochs=EPOCHS, callbacks=[use])
    ended = trial.start().wait(1800)
    if ended.code:
        return Row(f"memory and files, {program}", "1 run", ended.err, False)
    lines = list(csv.reader((trial.folder / FILE).read_text().splitlines()))
    rows = [(int(batches), int(memory), int(files)) for batches, memory, files in lines][WARM:]
    slope = median((after[1] - before[1]) / (after[0] - before[0]) for before, after in combinations(rows, 2))
    batches, more = rows[-1][0], rows[-1][2] - rows[0][2]
    found = f"{slope:+.2f} kB a step (limit {TOLERANCE}), {more:+d} open files"
    return Row(f"memory and files, {program}", f"{batches} steps", found, slope < TOLERANCE and more == 0)
