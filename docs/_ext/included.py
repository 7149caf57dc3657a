"""Files of the repository as pages: `{include} ../CHANGELOG.md`, whose links then lead to pages."""

import posixpath
import re

INCLUDE = re.compile(r"```\{include\} (\S+)")
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def pages_of(env):
    """The page of each file of the repository that has one; paths are those from docs/."""
    pages = {}
    for name in env.found_docs:
        path = env.doc2path(name, base=True)
        pages[env.doc2path(name, base=False)] = name
        for file in INCLUDE.findall(path.read_text("utf-8")):
            pages[posixpath.normpath(posixpath.join(posixpath.dirname(name), file))] = name
    return pages


def redirect(app, relative_path, parent, content):
    """Links of an included file are relative to it, those of a page to the page."""
    pages, folder = pages_of(app.env), relative_path.parent.as_posix()

    def target(link):
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        name = pages.get(path) or pages.get(posixpath.join(path, "README.md"))
        return posixpath.relpath(app.env.doc2path(name, base=False) if name else path, ".")

    content[0] = LINK.sub(target, content[0])


def setup(app):
    app.connect("include-read", redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
