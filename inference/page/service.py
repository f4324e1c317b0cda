"""What an application says of its predictor, for the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from PIL.Image import Image

from inference.page.card import Card
from inference.pictures import Picture
from inference.predictor import Predictor

Legend = Mapping[str, str]  # colors, as #rrggbb, by what they mean


class Drawn(NamedTuple):
    """Pictures to look at, of 8 bits.

    Attributes:
        input: as the model sees it.
        pictures: what there is to see of the result, by names.
    """

    input: Image
    pictures: Mapping[str, Image]


@dataclass(frozen=True)
class Service:
    """A predictor, and how its results are shown.

    Attributes:
        predictor: runs the model.
        command: what the page does to a picture, as the path of the endpoint: translate or predict.
        draw: draws a picture and its result.
        has_file: whether a result is one file, which the predictor writes; else the drawn pictures are the answer.
        card: what there is to know of the model.
        legends: what colors mean, by the names of the drawn pictures.
    """

    predictor: Predictor
    command: str
    draw: Callable[[Picture, Any], Drawn]
    has_file: bool
    card: Card
    legends: Mapping[str, Legend] = field(default_factory=dict)
