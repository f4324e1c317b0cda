"""Builds the pages of this folder and the API reference of the docstrings; `make docs` runs it.

Nothing is fetched, neither while it is built nor while it is read: formulas become MathML, which browsers draw
themselves, and names of other libraries are not linked.
"""

import re
from typing import Any, NoReturn

from docutils import nodes
from docutils.utils import unescape
from latex2mathml.converter import convert
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

project = "pix2pix-multitask"
html_title = project
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "myst_parser"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
html_math_renderer = "mathml"
html_show_copyright = html_show_sphinx = html_copy_source = False
html_css_files = ["wide.css"]
html_static_path = ["_static"]

myst_heading_anchors = 4  # links such as data.md#splits
copybutton_prompt_text = ">>> "

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # SideBySide, not <class ...>
autodoc_typehints_format = "short"
python_display_short_literal_types = True
python_maximum_signature_line_length = 100

napoleon_use_ivar = True  # "Attributes:" explains, and does not document them once more
napoleon_use_rtype = False  # "Returns:" holds sentences

# What a docstring refers to must be in the reference. Types in signatures are links where they can be: not those of
# other libraries, nor those of ours that are not public, nor the values of a Literal.
nitpicky = True
OURS = "losses|inference|training|pix2pix|multitask"
nitpick_ignore_regex = [
    ("py:.*", rf"(?!({OURS})\.)\w+\..*"),
    ("py:class", rf"({OURS})(\.\w+){{2,}}"),
    ("py:class", "'.*'"),
]


def visit_formula(translator: Any, node: nodes.math) -> NoReturn:
    """Write a formula in a line."""
    translator.body.append(convert(unescape(node.astext())))
    raise nodes.SkipNode


def visit_display(translator: Any, node: nodes.math_block) -> NoReturn:
    """Write a formula on lines of its own."""
    translator.body.append(f'<div class="math">{convert(unescape(node.astext()), display="block")}</div>')
    raise nodes.SkipNode


def resolve_by_last_name(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Lead from where a name is written, pix2pix.generators.Generator, to where users import it, pix2pix.Generator.

    A method that a class inherits, :meth:`step`, leads to that of its base.
    """
    prefix, _, name = node.get("reftarget", "").rpartition(".")
    package = (prefix or node.get("py:module") or "").partition(".")[0]
    named = [entry for entry in environment.domaindata["py"]["objects"].items() if entry[0].endswith(f".{name}")]
    if not named:
        return None
    full, found = min(named, key=lambda entry: entry[0].partition(".")[0] != package)  # one beside it, if there is one
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, content, full)


def skip_fields_of_tuples(app: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    """Leave the fields of a NamedTuple to the docstring of its class, which explains them."""
    return True if (getattr(value, "__doc__", None) or "").startswith("Alias for field number") else None


def drop_links_out_of_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """Keep the text of links to files of the repository that are no pages here."""
    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", source[0])


def setup(app: Sphinx) -> None:
    """Register all of this."""
    app.add_html_math_renderer("mathml", (visit_formula, None), (visit_display, None))
    app.connect("autodoc-skip-member", skip_fields_of_tuples)
    app.connect("missing-reference", resolve_by_last_name)
    app.connect("source-read", drop_links_out_of_the_site)
