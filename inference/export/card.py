"""The model card of a network on the Hugging Face hub."""

from collections.abc import Mapping, Sequence

LIBRARY = "pix2pix-multitask"


def model_card(
    title: str,
    *,
    license: str,
    task: str,
    use: str,
    code: str,
    data: Sequence[str],
    metrics: Mapping[str, float],
    samples: str | None,
) -> str:
    """Return the text of a model card, README.md, with the head that the hub reads.

    Args:
        title: of the card.
        license: as the hub names it.
        task: the hub's name of what the network does, such as image-to-image.
        use: what the network is for and what not, in sentences.
        code: Python that uses it.
        data: what is known of the data that it was trained on, in lines.
        metrics: of the test split, by their names; none if it was not tested.
        samples: the file of a picture of samples beside the card, if there is one.
    """
    table = ["| metric | test |", "|---|---:|", *(f"| {name} | {value:.4f} |" for name, value in metrics.items())]
    sections = [
        f"# {title}",
        *([f"![samples of the validation split]({samples})"] if samples else []),
        f"## Use\n\n{use}\n\n```python\n{code}\n```",
        "## Data\n\n" + "\n".join(f"- {line}" for line in data),
        "## Metrics\n\n" + ("\n".join(table) if metrics else "It was not tested."),
    ]
    head = f"---\nlicense: {license}\nlibrary_name: {LIBRARY}\npipeline_tag: {task}\ntags:\n- {task}\n- pytorch\n---\n"
    return head + "\n" + "\n\n".join(sections) + "\n"
