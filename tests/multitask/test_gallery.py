"""How the pictures of a scene lie; the gallery itself is in tests/training/test_gallery.py."""

from pathlib import Path

from multitask.gallery import MultiTaskGallery


def test_predictions_lie_below_their_targets(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in "config.yaml", "checkpoints/best.ckpt":
        (tmp_path / name).touch()
    gallery = MultiTaskGallery(tmp_path)
    titles = ["image", "seg target", "seg predicted", "depth target", "depth predicted"]
    assert gallery.lines(titles) == [
        ["image", "seg target", "depth target"],
        [None, "seg predicted", "depth predicted"],
    ]
    assert gallery.folder == tmp_path / "gallery"
