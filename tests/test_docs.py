"""The pages keep their word: Python runs and prints what the page says, commands parse, links lead somewhere, docstrings run."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer
from pytest_examples import CodeExample, EvalExample, find_examples

from neuronsim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "netlists" / "README.md", *(ROOT / "docs").rglob("*.md")]
PACKAGES = ("neuronsim", "circuits", "training")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _python(page: Path) -> list[CodeExample]:
    return [example for example in find_examples(page) if example.prefix_tags() & {"py", "python"}]


@pytest.mark.parametrize("example", [e for page in PAGES for e in _python(page)], ids=str)
def test_python_of_the_pages_runs(example: CodeExample, eval_example: EvalExample, tmp_path, monkeypatch):
    """In a folder of its own; ``#>`` lines are what it prints. A block that cannot run says why: {test="not run: reason"}."""
    reason = example.prefix_settings().get("test", "")
    if reason.startswith("not run: "):
        pytest.skip(reason)
    monkeypatch.chdir(tmp_path)
    eval_example.set_config(line_length=120)
    eval_example.run_print_check(example)


def _commands(page: Path) -> list[str]:
    """The command lines of a page: of its unmarked and bash blocks, without comments."""
    blocks = re.findall(r"^```(?:bash)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`(neuronsim [a-z][^`]*)`", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in [*lines, *inline] if line.startswith("neuronsim ")]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_of_the_pages_parse(page: Path):
    """Subcommand, arguments and options are the command line's; nothing is run."""
    wrong = []
    for line in _commands(page):
        command, words = typer.main.get_command(app), shlex.split(line)[1:]
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
    shown = [path.relative_to(ROOT).with_suffix("") for path in files if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.parts if path.parts[0] == "neuronsim" else ("neuronsim", *path.parts)) for path in shown]


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples_of_docstrings_run(name: str):
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0
