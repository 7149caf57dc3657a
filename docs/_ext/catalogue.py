"""The catalogue: what each of its pages shows beside what is written in it is computed here.

A page, docs/catalogue/NAME.md, has a line and a source at its head, and says in its body: what the optimizer
does, its formula, its composition, and where frameworks differ. A picture of its first steps, its source, its
arguments and its state are put in when the site is built.
"""

import inspect
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import yaml
from curves import Axes, picture
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective
from steps import FALL, LEARNING_RATE, PARAMETERS, SHOWN, SPIKE, UPDATES, cached

import radam_optax as rx
from examples.lab.style import CONTEXT, look

FOLDER = Path(__file__).parents[1] / "catalogue"
CACHE = Path(__file__).parents[2] / "build" / "steps"
CAPTION = (
    f"The first {UPDATES} updates with {{arguments}}, of {PARAMETERS} parameters whose gradients are noise "
    f"about a mean. After update {FALL} the gradients are a tenth as large; that of update {SPIKE} is thirty "
    "times as large again. The effective rate is the root mean square of the updates over that of the "
    "gradients."
)
AFTER_THE_LINE = """
Source: {source}. In the API: {{func}}`radam_optax.{name}`.

```{{first-steps}} {name}
```
"""
AT_THE_END = """
## Arguments and state

```{{arguments}} {name}
```

```{{state}} {name}
```
"""


def optimizers():
    """The names of the catalogue: functions of a learning rate that are no link and no wrapper."""
    apart = ("scale_by_learning_rate", "schedule_free")
    functions = {name: getattr(rx, name) for name in rx.__all__ if name not in apart}
    return [
        name
        for name, value in functions.items()
        if inspect.isfunction(value) and "learning_rate" in inspect.signature(value).parameters
    ]


def page(name):
    """The head, title and body of a page."""
    _, head, body = re.split(r"^---\n", (FOLDER / f"{name}.md").read_text("utf-8"), maxsplit=2, flags=re.M)
    return yaml.safe_load(head), re.search(r"^# (.*)", body, flags=re.M)[1], body


def state_of(name):
    """Shapes and dtypes of the state of one array of parameters."""
    return jax.eval_shape(
        getattr(rx, name)(learning_rate=LEARNING_RATE).init, jax.ShapeDtypeStruct((7, 11), jnp.float32)
    )


def bytes_per_parameter(name):
    """Of the arrays in the shape of the parameters, float32 as those are."""
    return sum(leaf.dtype.itemsize for leaf in jax.tree.leaves(state_of(name)) if leaf.shape == (7, 11))


def complete(app, docname, source):
    """Puts into a page what is computed."""
    folder, _, name = docname.rpartition("/")
    if folder == "catalogue" and name in optimizers():
        head, _, _ = page(name)
        line, heading, differences = source[0].partition("\n## ")
        after, end = (each.format(name=name, **head) for each in (AFTER_THE_LINE, AT_THE_END))
        source[0] = "".join([line, after, heading, differences, end])


class Markdown(SphinxDirective):
    """A directive that is Markdown in the end."""

    required_arguments = 1
    has_content = True

    def run(self):
        found = nodes.container()
        text = StringList(self.markdown().splitlines(), self.get_source_info()[0])
        self.state.nested_parse(text, self.content_offset, found)
        return found.children


class Arguments(Markdown):
    """The arguments of an optimizer and their defaults."""

    def markdown(self):
        parameters = inspect.signature(getattr(rx, self.arguments[0])).parameters.values()
        rows = [f"| `{each.name}` | {default_of(each)} |" for each in parameters]
        return "\n".join(["| argument | default |", "|---|---|", *rows])


def default_of(parameter):
    if parameter.default is parameter.empty:
        return "to be given"
    return f"`{parameter.default!r}`"


class State(Markdown):
    """What an optimizer keeps between updates, for parameters in float32."""

    def markdown(self):
        name = self.arguments[0]
        leaves = jax.tree_util.tree_leaves_with_path(state_of(name))
        if not leaves:
            return "It keeps nothing between updates."
        rows = [
            f"| `state{jax.tree_util.keystr(path)}` | {'like the parameter' if leaf.ndim else 'one number'} "
            f"| {leaf.dtype} |"
            for path, leaf in leaves
        ]
        text = f"The state of a float32 parameter is {bytes_per_parameter(name)} bytes."
        return "\n".join([text, "", "| in the state | shape | dtype |", "|---|---|---|", *rows])


class Optimizers(Markdown):
    """A table of pages, which it takes into the table of contents."""

    required_arguments = 0

    def markdown(self):
        names = " ".join(self.content).split()
        rows = ["| optimizer | the line, behind the learning rate | source | bytes |", "|---|---|---|--:|"]
        for name in names:
            head, title, _ = page(name)
            rows.append(
                f"| [{title}]({name}.md) | {head['line']} | {head['source']} | {bytes_per_parameter(name)} |"
            )
        return "\n".join(["```{toctree}", ":hidden:", "", *names, "```", "", *rows])


class FirstSteps(SphinxDirective):
    """Effective rate and update over the first updates, beside Adam's in grey."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        head, title, _ = page(name)
        drawn = head.get("drawn", {})
        own, adam = cached(name, drawn, CACHE), cached("adam", {}, CACHE)
        panels = "".join(
            panel(text, title, name, own[key], adam[key])
            for key, text in (("rate", "Effective rate"), ("update", "Size of the update"))
        )
        arguments = {"learning_rate": LEARNING_RATE} | drawn
        said = ", ".join(f"<code>{key}={value}</code>" for key, value in arguments.items())
        caption = CAPTION.format(arguments=said)
        html = f'<figure class="first-steps"><div>{panels}</div><figcaption>{caption}</figcaption></figure>'
        return [nodes.raw("", html, format="html")]


def panel(text, title, name, own, adam):
    """One quantity of the optimizer, and of Adam."""
    axes = Axes(SHOWN, [y for y in (*own, *adam) if y > 0])
    parts = [*axes.mark(FALL, "a tenth"), *axes.mark(SPIKE, "30 times")]
    style = look(name)
    ends = [(title, own[-1], style["color"])]
    if name != "adam":
        parts.append(axes.line(SHOWN, adam, f"stroke:{CONTEXT}"))
        ends.append(("Adam", adam[-1], CONTEXT))
    parts += [axes.line(SHOWN, own, stroke(style)), *axes.names(ends)]
    return picture(text, f"{text} of {title} over its first updates, beside Adam's", axes, parts)


def stroke(style):
    """Matplotlib's colour and dashes in the words of CSS."""
    dashes = style["linestyle"]
    pattern = (
        "" if dashes == "-" else ";stroke-dasharray:" + " ".join(f"{2 * length:g}" for length in dashes[1])
    )
    return f"stroke:{style['color']}{pattern}"


def check(app, env):
    """Every optimizer has its page."""
    missing = [name for name in optimizers() if f"catalogue/{name}" not in env.found_docs]
    if missing:
        raise SphinxError(f"docs/catalogue has no page for {', '.join(missing)}.")


def setup(app):
    app.connect("source-read", complete)
    app.connect("env-check-consistency", check)
    directives = {"arguments": Arguments, "state": State, "optimizers": Optimizers, "first-steps": FirstSteps}
    for name, directive in directives.items():
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
