"""How Sphinx makes a site of the pages that GitHub shows; docs/site/build.py calls it.

Why Sphinx: Sphinx, MyST-Parser and the PyData theme are released several times a year, and do what
we need without a plugin. Dead links, anchors and pictures, and pages that no list names, are
warnings that can fail the build; the search index, fonts and scripts are files of the site itself.
MkDocs 1 is unmaintained, fixes for Material for MkDocs were promised until November 2026, and its
successor Zensical has no stable release yet. Furo was the other theme considered: it cannot fold
up the navigation by section, and there are over seventy pages.

The source of a site is a checkout as it is, so a page's address is its path in the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

REPOSITORY = ""
"""Where links to source files lead, such as https://github.com/OWNER/NAME. While it is empty, the
names of the files are shown instead of links.
"""

HERE = Path(__file__).parent
CONTENTS = "docs/README"

project = "Control Tower Log Aggregator"
html_title = project
language = "en"
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "build", "dist", "src", "tests"]
nitpicky = True
smartquotes = False  # what is to be typed stands in tables, too

extensions = ["myst_parser"]
# GitHub's Markdown, and no more of MyST's than the directive that makes the navigation.
myst_enable_extensions = ["alert", "gfm_autolink", "strikethrough", "tasklist"]
myst_disable_syntax = ["myst_role", "myst_target", "myst_line_comment", "myst_block_break"]
myst_heading_anchors = 6
myst_heading_slug_func = "github"

templates_path = [f"{HERE / 'templates'}"]
html_theme = "pydata_sphinx_theme"
html_theme_options: dict[str, Any] = {
    "navbar_start": ["navbar-logo"],
    "navbar_center": [],
    "navbar_end": ["versions", "theme-switcher"],
    "show_nav_level": 0,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "article_header_start": [],
    "footer_start": [],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"**": ["sections"]}
html_static_path = [f"{HERE / 'static'}"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_copyright = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    app.add_config_value("repository", REPOSITORY, "env", str)
    app.add_config_value("trees", "", "html", str)
    app.add_config_value("versions", [], "html", list)
    app.add_lexer("cron", TextLexer)
    app.add_transform(SourceLinks)
    app.connect("source-read", add_navigation)
    app.connect("doctree-resolved", link_pictures)
    app.connect("html-page-context", add_versions)


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """The front page gets the sections of docs/README.md, which are the navigation; the README of
    another folder gets the pages of that folder that it links.
    """
    if docname != root_doc:
        if docname.endswith("/README") and docname != CONTENTS:
            pages = re.findall(r"\]\(([^)#:/]+)\.md\)", source[0])
            source[0] += make_toctree(posixpath.basename(posixpath.dirname(docname)), pages)
        return
    sections = read_sections(Path(app.srcdir, f"{CONTENTS}.md").read_text(encoding="utf-8"))
    listed = {root_doc, *(page for pages in sections.values() for page in pages)}
    about = sorted({page.stem for page in Path(app.srcdir).glob("*.md")} - listed)
    for caption, pages in {**sections, "About the project": about}.items():
        source[0] += make_toctree(caption, pages)


def make_toctree(caption: str, pages: Iterable[str]) -> str:
    entries = "\n".join(pages)
    return f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def read_sections(text: str) -> dict[str, list[str]]:
    """The pages that each section links first, but for the introduction, "In short", which links
    pages of all sections.
    """
    folder = posixpath.dirname(CONTENTS)
    _, *parts = re.split(r"^## +(?!In short$)", text, flags=re.MULTILINE)
    sections: dict[str, list[str]] = {}
    seen = {root_doc}
    for part in parts:
        caption, _, body = part.partition("\n")
        links = re.findall(r"\]\(([^)#:]+)\.md[)#]", body)
        pages = dict.fromkeys(posixpath.normpath(f"{folder}/{link}") for link in links)
        if new := [page for page in pages if page not in seen]:
            sections[caption.strip()] = new
        seen.update(pages)
    first = next(iter(sections.values()))
    first.insert(0, f"All pages, by task <{CONTENTS}>")
    return sections


class SourceLinks(SphinxTransform):
    """Links to files and folders that are no pages lead into the repository, or only name them."""

    default_priority = 100

    def apply(self) -> None:
        folder = Path(self.env.srcdir, self.env.docname).parent
        for kind in (addnodes.download_reference, addnodes.pending_xref):
            for link in list(self.document.findall(kind)):
                target = link["reftarget"]
                if link.get("refdomain") != "doc":
                    path = (folder / target).resolve()
                elif target not in self.env.found_docs:
                    path = Path(self.env.srcdir, f"{target}.md")
                else:
                    continue
                if path.exists():
                    link.replace_self(self._show(link, path))

    def _show(self, link: nodes.Element, path: Path) -> list[nodes.Node]:
        name = path.relative_to(self.env.srcdir).as_posix()
        if self.config.repository:
            address = f"{self.config.repository}/blob/{self.config.release}/{name}"
            return [nodes.reference("", "", *link.children, refuri=address, internal=False)]
        text = link.astext()
        if text in name:
            return [nodes.literal(text, text)]
        return [*link.children, nodes.Text(" ("), nodes.literal(name, name), nodes.Text(")")]


def link_pictures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A picture is wider than a page's text: it leads to itself, in full size."""
    for picture in list(doctree.findall(nodes.image)):
        if picture["uri"] in app.env.images:
            _, name = app.env.images[picture["uri"]]
            address = f"{'../' * docname.count('/')}_images/{name}"
            picture.replace_self(nodes.reference("", "", picture.deepcopy(), refuri=address))


def add_versions(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any
) -> None:
    """Each version that is built, with where this page is in it, or its front page."""
    up = "../" * (pagename.count("/") + 1)
    context["versions"] = [
        (name, f"{up}{name}/{pagename if has_page(app, name, pagename) else root_doc}.html")
        for name in app.config.versions
    ]


def has_page(app: Sphinx, version: str, pagename: str) -> bool:
    return pagename == "search" or Path(app.config.trees, version, f"{pagename}.md").is_file()
