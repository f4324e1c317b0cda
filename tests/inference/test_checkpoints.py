from pathlib import Path

import pytest
import torch

from inference import read_checkpoint, run_of


def test_hyper_parameters_are_brought_up_to_date(tmp_path: Path) -> None:
    weighting = {"class_path": "losses.gradnorm.GradNorm", "init_args": {"alpha": 0.5}}
    torch.save({"state_dict": {"a": torch.ones(3)}, "hyper_parameters": {"weighting": weighting}}, tmp_path / "a.ckpt")
    checkpoint = read_checkpoint(tmp_path / "a.ckpt")
    assert checkpoint["hyper_parameters"]["weighting"] == {"class_path": "losses.GradNorm", "init_args": {"alpha": 0.5}}
    assert checkpoint["state_dict"]["a"].tolist() == [1, 1, 1]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a checkpoint was run",)


def test_what_is_not_a_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "empty.ckpt").touch()
    (tmp_path / "folder.ckpt").mkdir()
    torch.save(torch.ones(3), tmp_path / "tensor.ckpt")
    torch.save({"weights": 1}, tmp_path / "other.ckpt")
    torch.save({"state_dict": {}, "evil": Evil()}, tmp_path / "evil.ckpt")
    torch.save({"state_dict": {"a": torch.rand(1000)}}, tmp_path / "whole.ckpt")
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "whole.ckpt").read_bytes()[:2000])
    for name in ("text", "empty", "folder", "tensor", "other", "evil", "cut"):
        with pytest.raises(
            ValueError, match=rf"{name}\.ckpt: not a checkpoint that can be read; take another"
        ) as error:
            read_checkpoint(tmp_path / f"{name}.ckpt")
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"absent\.ckpt: no such file$"):
        read_checkpoint(tmp_path / "absent.ckpt")
    assert capsys.readouterr().out == ""


def test_the_run_of_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "runs" / "small" / "now"
    (run / "checkpoints").mkdir(parents=True)
    assert run_of(run / "checkpoints" / "last.ckpt") is None
    (run / "config.yaml").touch()
    assert run_of(run / "checkpoints" / "last.ckpt") == run
    monkeypatch.chdir(run / "checkpoints")
    assert run_of("last.ckpt") == run
