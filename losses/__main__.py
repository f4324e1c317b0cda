"""The command line: ``python -m losses figures``."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torch

DESCRIPTION = "Losses for PyTorch, in pictures."
FIGURES = """\
Draw six figures and print the path of each. Some show networks, which are trained first; that takes seconds:

  regression.png    losses of regression and their gradients against the error
  bce.png           binary cross-entropy against the probability
  focal.png         focal loss for several gammas against the probability of the true class
  landscape.png     the loss of a convolutional network around its weights (Li et al. 2018)
  convergence.png   training with outliers under several losses, and the error of each on clean points
  task_weights.png  the weights that uncertainty weighting learns for three tasks
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Bad input ends with one line and exit code 1, bad usage with one line and exit code 2.

    Args:
        arguments: the words after ``python -m losses``; by default those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        draw_figures(options.out)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if options.debug:
            raise
        sys.exit(f"losses: error: {' '.join(str(error).split())} (--debug shows where)")
    except KeyboardInterrupt:
        sys.stderr.write("losses: stopped\n")
        sys.exit(128 + signal.SIGINT)


def draw_figures(out: Path) -> None:
    """Draw all figures, train the networks that some of them show, and print the path of each file.

    Args:
        out: the folder of the figures, created if missing.

    Raises:
        OSError: a file cannot be written.
    """
    from matplotlib.figure import Figure  # here: --help and wrong options need no matplotlib

    from losses import figures
    from losses.figures import experiments

    torch.set_num_threads(1)  # small networks gain nothing from more, and the sums would depend on their number
    out.mkdir(parents=True, exist_ok=True)

    def write(name: str, figure: Figure) -> None:
        path = out / f"{name}.png"
        figure.savefig(path, dpi=150)
        print(path, flush=True)

    write("regression", figures.regression_curves())
    write("bce", figures.bce_curves())
    write("focal", figures.focal_curves())
    write("landscape", figures.loss_landscape(*experiments.train_shapes_classifier()))
    # Log-cosh would coincide with Huber, and the asymmetric loss answers another question.
    names = ("MSE", "L1", "Huber (delta 1)", "smooth L1 (beta 0.5)")  # in the colors of regression.png
    histories = experiments.train_with_outliers({name: figures.REGRESSION_LOSSES[name] for name in names}, every=10)
    metric = "mean absolute error on clean points"
    write("convergence", figures.convergence(histories, metric=metric, every=10))
    write("task_weights", figures.task_weights(experiments.train_with_uncertainty()))


class OneLineErrors(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message and exit code 2."""
        self.exit(2, f"losses: error: {message} (--help names the options)\n")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineErrors(prog="python -m losses", description=DESCRIPTION)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "figures",
        help="draw curves, landscapes and runs as pictures",
        description=FIGURES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="folder (default: figures)")
    command.add_argument("--debug", action="store_true", help="show the tracebacks of errors")
    return parser


if __name__ == "__main__":
    main()
