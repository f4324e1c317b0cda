"""What the drawings of OpenMoji show: kinds after the groups of Unicode's list of emoji."""

from collections.abc import Mapping

OTHERS = "objects and symbols"
Ranges = tuple[tuple[int, int], ...]
KINDS: Mapping[str, Ranges] = {  # by the first code point, both ends included
    "faces": (
        *((0x2639, 0x263A), (0x1F47F, 0x1F47F), (0x1F600, 0x1F644), (0x1F910, 0x1F917), (0x1F920, 0x1F925)),
        *((0x1F927, 0x1F92F), (0x1F970, 0x1F976), (0x1F978, 0x1F97A), (0x1F9D0, 0x1F9D0), (0x1FAE0, 0x1FAEF)),
    ),
    "people": (
        *((0x261D, 0x261D), (0x26F9, 0x26F9), (0x270A, 0x270D), (0x1F3C2, 0x1F3C4), (0x1F3C7, 0x1F3C7)),
        *((0x1F3CA, 0x1F3CC), (0x1F442, 0x1F450), (0x1F464, 0x1F478), (0x1F47C, 0x1F47C), (0x1F481, 0x1F487)),
        *((0x1F574, 0x1F575), (0x1F57A, 0x1F57A), (0x1F590, 0x1F596), (0x1F645, 0x1F647), (0x1F64B, 0x1F64F)),
        *((0x1F6A3, 0x1F6A3), (0x1F6B4, 0x1F6B6), (0x1F90C, 0x1F90F), (0x1F918, 0x1F91F), (0x1F926, 0x1F926)),
        *((0x1F930, 0x1F93E), (0x1F977, 0x1F977), (0x1F9B5, 0x1F9B9), (0x1F9CD, 0x1F9CF), (0x1F9D1, 0x1F9DF)),
        *((0x1FAC3, 0x1FAC5), (0x1FAF0, 0x1FAF8)),
    ),
    "animals": (
        *((0x1F400, 0x1F43F), (0x1F54A, 0x1F54A), (0x1F577, 0x1F577), (0x1F648, 0x1F64A), (0x1F980, 0x1F9AE)),
        *((0x1FAB0, 0x1FABF), (0x1FACE, 0x1FACF)),
    ),
    "plants and food": (
        *((0x2615, 0x2615), (0x2618, 0x2618), (0x1F32D, 0x1F37F), (0x1F950, 0x1F96F), (0x1F9C0, 0x1F9CB)),
        *((0x1FAD0, 0x1FADF),),
    ),
    "vehicles and places": (
        *((0x26EA, 0x26F8), (0x26FA, 0x26FA), (0x2708, 0x2708), (0x1F300, 0x1F30C), (0x1F3D4, 0x1F3F0)),
        *((0x1F5FA, 0x1F5FF), (0x1F680, 0x1F6A2), (0x1F6A4, 0x1F6AA), (0x1F6B2, 0x1F6B3), (0x1F6D0, 0x1F6D7)),
        *((0x1F6F0, 0x1F6FF),),
    ),
}


def kind_of(name: str) -> str:
    """Return what a drawing of the layout ``Emoji`` shows: one of ``KINDS``, or objects and symbols.

    Args:
        name: the drawing's, its code points: ``1F600`` or ``1F468-200D-1F33E``.

    Raises:
        ValueError: the name does not begin with a code point.
    """
    first = name.partition("-")[0]
    try:
        point = int(first, 16)
    except ValueError:
        raise ValueError(
            f"{name}: the name of a drawing of OpenMoji begins with its code point, such as 1F600"
        ) from None
    return next((kind for kind, own in KINDS.items() if any(low <= point <= high for low, high in own)), OTHERS)
