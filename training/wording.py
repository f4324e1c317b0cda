"""What jsonargparse says of an option, in plain words."""

import os
import re
from collections.abc import Callable
from pathlib import Path

RULES: list[
    tuple[str, str | Callable[[re.Match[str]], str]]
] = [  # applied in this order: what it says, and what is said instead
    (r"Does not validate against any of the Union subtypes", ""),
    (r"(?m)^\s*(Subtypes: .*|Errors:|Given value type: .*)$", ""),
    (r"(?m)^\s*- Expected a (<class 'NoneType'>|path but \S+ either not accessible or invalid)", ""),
    (r"(Given|Got) value: (NestedArg|Namespace)\(.*", ""),
    (r"(Given|Got) value: \{.*Namespace\(.*", ""),
    (r"(?m)^\s*- ", "or "),
    (r"\s+", " "),
    (r'(Parser key|Key) "([\w.]*)": ', r"\2: "),
    (r"Type \S*Callable\[\[.*?\], [\w.\[\], ]+?\] expects a function or a callable class: ", ""),
    (r"Expected '(\S+)' to be a (?:subclass of|function that returns) <class '(\w+)'>\.*", r"\1 is no subclass of \2"),
    (r"Import path (\S+) does not correspond to a subclass of (\w+)", r"\1 is no subclass of \2"),
    (r"Import path does not correspond to a subclass of (\w+) Given value: (\S+)", r"\2 is no subclass of \1"),
    (r"Import path does not correspond to a subclass of (\w+)", r"no subclass of \1"),
    (r"Problem with given class_path '(\S+)': No module named '(\S+)'", r"\1: there is no module \2"),
    (r"Problem with given class_path '(\S+)': No (\S+) attribute (\w+)", r"\1: there is no \3 in \2"),
    (r"Problem with given class_path '(\S+)': module '(\S+)' has no attribute '(\w+)'", r"\1: there is no \3 in \2"),
    (r"Problem with given class_path '(\S+)': ", r"\1: "),
    (r"No module named '(\S+)'", r"there is no module \1"),
    (r"module '(\S+)' has no attribute '(\w+)'", r"there is no \2 in \1"),
    (r"Expected a dot import path string:", "must be the path of a class, MODULE.CLASS; got"),
    (r"Expected a typing\.Literal\[(.*?)\]", lambda found: f"must be one of {found[1]}".replace("'", "")),
    (r"Expected a <class 'float'>", "must be a number"),
    (r"Expected a <class 'int'>", "must be a whole number"),
    (r"Expected a <class 'bool'>", "must be true or false"),
    (r"Expected a <class 'str'>", "must be a text"),
    (r"Expected a <class '(?:list|collections\.abc\.\w+)'>", "must be a list"),
    (r"Expected a <class 'dict'>", "must be a mapping"),
    (r"Expected a (?:tuple|list) with (\d+) elements", r"must be \1 values"),
    (r"Option '(\S+)' is not accepted", r"there is no option \1"),
    (r"Unrecognized arguments|unrecognized arguments", "there are no options"),
    (r"\.? ?(?:Given|Got) value: (\S+)( Given value: .*)?", r"; got \1"),
    (r"(^|: )(or )+", r"\1"),
    (r" ?(?<= )or must be ", " or "),
    (r"(; got \S+)\1", r"\1"),
]


def plain(message: object) -> str:
    """Return a message in one line and in plain words, with paths as short as they can be."""
    if isinstance(message, OSError) and message.filename is not None:
        message = f"{message.filename}: {message.strerror}; choose another place"
    line = str(message).replace(f"{Path.cwd()}{os.sep}", "")
    for said, instead in RULES:
        line = re.sub(said, instead, line)
    return line.strip()
