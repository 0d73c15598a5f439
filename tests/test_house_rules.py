"""What no linter looks at: documentation of public things, size of rooms. Directions of imports: [tool.importlinter]."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_netlists_hold_no_python():
    for path in (ROOT / "netlists").rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert path.name == "__init__.py"
        assert len(tree.body) == 1
        assert ast.get_docstring(tree)


@pytest.mark.parametrize("package", ["neuronsim", "circuits", "training"])
def test_every_module_says_what_it_is(package):
    silent = [
        str(p)
        for p in (ROOT / package).rglob("*.py")
        if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize(
    "package", ["neuronsim", "neuronsim.circuits", "neuronsim.training", "neuronsim.training.ttfs"]
)
def test_public_names_are_documented(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{package}.{name}"


@pytest.mark.parametrize("package", ["neuronsim", "circuits", "training"])
def test_the_root_of_a_package_holds_a_dozen_files_at_most(package):
    files = [path.name for path in (ROOT / package).iterdir() if path.is_file() and path.suffix == ".py"]
    assert len(files) <= 12, files
