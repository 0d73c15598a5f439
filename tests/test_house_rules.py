"""The direction of imports, and that public things carry their documentation."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"neuronsim": {"circuits", "training"}, "circuits": {"training"}, "training": {"circuits"}}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_flow_one_way(package):
    files = [path for path in (ROOT / package).rglob("*.py") if "cli" not in path.relative_to(ROOT / package).parts]
    assert files
    wrong = {str(path): _imports(path) & FORBIDDEN[package] for path in files if _imports(path) & FORBIDDEN[package]}
    assert wrong == {}


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
