"""The pages keep their word: Python runs and prints what the page says, commands parse, links lead somewhere, docstrings run."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt

from neuronsim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "netlists" / "README.md", *(ROOT / "docs").rglob("*.md")]
PACKAGES = ("neuronsim", "circuits", "training")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class Example:
    """A python block of a page: the text block that follows it is what it prints; a comment before it says why it is not run."""

    page: Path
    line: int
    code: str
    output: str | None
    not_run: str | None

    def __str__(self) -> str:
        return f"{_name(self.page)}:{self.line}"


def _examples(page: Path) -> Iterator[Example]:
    tokens = [None, *MarkdownIt().parse(page.read_text(encoding="utf-8")), None]
    for before, block, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if block and block.type == "fence" and block.info == "python" and block.map:
            reason = re.match(r"<!-- not run: (.*) -->", before.content) if before else None
            output = after.content if after and after.type == "fence" and after.info == "text" else None
            yield Example(page, block.map[0] + 1, block.content, output, reason[1] if reason else None)


@pytest.mark.parametrize("example", [example for page in PAGES for example in _examples(page)], ids=str)
def test_python_of_the_pages_runs_and_prints_what_they_say(example: Example, tmp_path, monkeypatch):
    if example.not_run:
        pytest.skip(example.not_run)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * example.line + example.code, str(example.page), "exec"), {"__name__": "__main__"})
    # what a network reaches differs a little from processor to processor: percentages within five points
    share = re.compile(r"(\d+)%")
    expected, outcome = example.output or "", printed.getvalue()
    assert share.sub("%", outcome) == share.sub("%", expected)
    assert [int(n) for n in share.findall(outcome)] == pytest.approx([int(n) for n in share.findall(expected)], abs=5)


def _commands(page: Path) -> Iterator[str]:
    """The command lines of a page: in bash blocks, without comments, and in the text."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.info == "bash":
            lines = [line.partition("#")[0].strip() for line in token.content.splitlines()]
        else:
            lines = [part.content for part in token.children or [] if part.type == "code_inline"]
        yield from (line for line in lines if re.match("neuronsim [a-z]", line))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_of_the_pages_parse(page: Path):
    """Subcommand, arguments and options are the command line's; nothing is run."""
    wrong = []
    for line in _commands(page):
        command: Any = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        while hasattr(command, "commands") and words:
            name = words.pop(0)
            if name not in command.commands:
                wrong.append(f"{line}: no command {name}")
                break
            command = command.commands[name]
        else:
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            known |= {"--help", "-h"}
            wrong += [f"{line}: {word}" for word in words if word.startswith("-") and word not in known]
    assert wrong == []


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_of_the_pages_lead_somewhere(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http:", "https:")):
            continue
        file, _, part = link.partition("#")
        target = (page.parent / file) if file else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if part else []
        if not target.exists() or (part and part not in map(_anchor, headings)):
            broken.append(link)
    assert broken == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def _modules_with_examples() -> list[str]:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    modules = [path.relative_to(ROOT).with_suffix("") for path in files if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.parts if path.parts[0] == "neuronsim" else ("neuronsim", *path.parts)) for path in modules]


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples_of_docstrings_run(name: str):
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_picture_of_the_readme_is_drawn_from_committed_data(tmp_path):
    script = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert script
    assert script.loader
    pictures = importlib.util.module_from_spec(script)
    script.loader.exec_module(pictures)
    pictures.draw(tmp_path / "neuron.png")
    assert (tmp_path / "neuron.png").stat().st_size > 50_000
