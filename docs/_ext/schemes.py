"""Pictures in two forms: beside NAME.png that is on a page, NAME-dark.png is shown where the page is dark."""

from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform


class BothForms(SphinxTransform):
    """Before pictures are collected."""

    default_priority = 500

    def apply(self):
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for light in list(self.document.findall(nodes.image)):
            path = Path(light["uri"])
            other = path.with_stem(f"{path.stem}-dark")
            if not (folder / other).is_file():
                continue
            dark = light.deepcopy()
            dark["uri"] = other.as_posix()
            light["classes"].append("only-light")
            dark["classes"].append("only-dark")
            light.parent.insert(light.parent.index(light) + 1, dark)


def setup(app):
    app.add_transform(BothForms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
