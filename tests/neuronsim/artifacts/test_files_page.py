"""docs/files.md is what the classes of the artifacts say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_current():
    page = runpy.run_path(str(DOCS / "make_files_page.py"))["page"]()
    assert (DOCS / "files.md").read_text(encoding="utf-8") == page, "docs/files.md is stale: run 'make files-page'"
