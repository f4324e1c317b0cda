import yaml

from inference.export.card import model_card


def test_the_hub_finds_its_keys_and_a_reader_the_rest() -> None:
    text = model_card(
        "pix2pix: shoes",
        license="mit",
        task="image-to-image",
        use="Shoes alone.",
        code="generator(input)",
        data=["root: shoes"],
        metrics={"l1": 0.01234},
        samples="samples.png",
    )
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "license": "mit",
        "library_name": "pix2pix-multitask",
        "pipeline_tag": "image-to-image",
        "tags": ["image-to-image", "pytorch"],
    }
    for part in ("# pix2pix: shoes\n", "(samples.png)", "Shoes alone.", "- root: shoes", "| l1 | 0.0123 |"):
        assert part in body


def test_nothing_is_made_up() -> None:
    options = {"license": "mit", "task": "image-to-image", "use": "", "code": ""}
    text = model_card("a", **options, data=[], metrics={}, samples=None)
    assert "It was not tested." in text
    assert "![" not in text
