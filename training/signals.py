"""The signals that ask a run to stop."""

import multiprocessing
import signal

# Ctrl-C, a scheduler that stops a job, a terminal that is closed, SLURM before it takes a job away. Windows lacks two.
STOP = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]


def ignore_signals(worker: int) -> None:
    """Let a process that loads samples go on when its run is asked to stop: the run still needs its batches.

    Terminals, ``timeout`` and SLURM signal all processes of a run. Those that load end when the run has ended.

    Args:
        worker: its number.
    """
    for each in STOP:
        signal.signal(each, signal.SIG_IGN)


def end_workers() -> None:
    """Kill what loads samples when its run has ended, as Python would ask it to end by SIGTERM and wait for ever.

    It ignores that signal, and may itself wait: for a lock that another worker held when the system killed it.
    """
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
