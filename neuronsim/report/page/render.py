"""Turning a page into one HTML file."""

from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from neuronsim.atomic_write import write_text

from .elements import Page


def write_page(page: Page, out: Path) -> Path:
    """Write ``page`` to ``out`` as self-contained HTML, whole or not at all. Raises OutputError when it cannot."""
    environment = Environment(
        loader=PackageLoader("neuronsim.report.page", ""), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    css = resources.files("neuronsim.report.page").joinpath("style.css").read_text(encoding="utf-8")
    return write_text(out, environment.get_template("page.html").render(page=page, css=Markup(css)).lstrip() + "\n")
