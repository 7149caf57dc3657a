"""Formulas as MathML, made when the site is built: a browser needs no script and no font for them."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import SphinxError

# What is left in the result of a command or an alignment that the converter does not know.
UNKNOWN = re.compile(r"\\[a-zA-Z]+|<mi>&</mi>")


def mathml(latex, display):
    """The element of a formula; one that is not understood is an error, not a formula with holes."""
    element = convert(latex.replace("{aligned}", "{align*}"), display=display)
    if unknown := UNKNOWN.search(element):
        raise SphinxError(f"latex2mathml does not know {unknown[0]!r} in the formula {latex!r}.")
    return element


def visit_math(translator, node):
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
