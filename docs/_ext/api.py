"""The API pages: `{api} MODULE` documents the names in its body, and every public name is on one of them."""

import importlib
import inspect
import re
import sys
from collections import Counter

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective

PACKAGE = "radam_optax"
SUBMODULES = [f"{PACKAGE}.{name}" for name in ("presets", "codecs", "sharding", "checkpoint", "migrate")]


class Api(SphinxDirective):
    """Documents names of a module, each as what it is; without names, the module itself."""

    required_arguments = 1
    has_content = True

    def run(self):
        module = importlib.import_module(self.arguments[0])
        names = " ".join(self.content).split()
        lines = (
            [f".. py:currentmodule:: {module.__name__}", ""]
            if names
            else [f".. automodule:: {module.__name__}"]
        )
        for name in names:
            lines += entry(name, getattr(module, name), module.__name__)
        found = nodes.container()
        # Docstrings are reStructuredText, the page is Markdown.
        text = StringList(["```{eval-rst}", *lines, "```"], self.get_source_info()[0])
        self.state.nested_parse(text, self.content_offset, found)
        return found.children


def entry(name, value, module):
    """The directive that documents a name; a name of the package that a module repeats is a link to it."""
    if module != PACKAGE and getattr(sys.modules[PACKAGE], name, None) is value:
        return [f".. py:data:: {name}", "", f"   :class:`{PACKAGE}.{name}`", ""]
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:", ""]
    if inspect.isfunction(value):
        return [f".. autofunction:: {name}", ""]
    return [f".. py:data:: {name}", "", f"   ``{value}``", ""]


def resolve(app, env, node, contnode):
    """Docstrings call names of the package as its users do, and those of optax and JAX without a link."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if target.partition(".")[0] in ("jax", "optax"):
        return contnode
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], f"{PACKAGE}.{target}", node, contnode
    )


def complete(app, env):
    """No public name is missing or there twice."""
    pages = (env.doc2path(name) for name in env.found_docs if name.startswith("api/"))
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```\{api\} (\S+)\n(.*?)```", page.read_text("utf-8"), re.S)
    ]
    for module in (PACKAGE, *SUBMODULES):
        there = Counter(name for owner, names in blocks if owner == module for name in names.split())
        public = {
            name for name in importlib.import_module(module).__all__ if f"{module}.{name}" not in SUBMODULES
        }
        wrong = sorted(
            (public - set(there)) | {name for name in there if there[name] > 1 or name not in public}
        )
        if wrong:
            raise SphinxError(
                f"docs/api must name each public name of {module} once; see {', '.join(wrong)}."
            )


def setup(app):
    app.add_directive("api", Api)
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
