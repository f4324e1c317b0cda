"""The machines that a run is spread over."""

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment


def cluster() -> list[ClusterEnvironment]:
    """Return SLURM where it has started the run, without what Lightning would do there when a signal comes.

    It would save in the middle of a batch, into the folder that the run was started in. ``LastCheckpoint`` saves after
    the batch instead, and the script of the job puts it into the queue again.
    """
    slurm = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()  # torchrun starts runs in SLURM, too
    return [SLURMEnvironment(auto_requeue=False)] if slurm else []
