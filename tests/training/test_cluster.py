import pytest

from training.cluster import cluster

SLURM = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"}


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SLURM, "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


def test_slurm_does_not_put_the_job_into_the_queue_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    (slurm,) = cluster()
    assert slurm.auto_requeue is False  # type: ignore[attr-defined]


def test_elsewhere_lightning_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster() == []
    for name, value in (SLURM | {"TORCHELASTIC_RUN_ID": "1"}).items():  # torchrun in a job of SLURM
        monkeypatch.setenv(name, value)
    assert cluster() == []
