"""The house's own rules, where no other tool holds them: mirrored tests, sentences, and names that nobody else takes."""

import ast
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FLOORS: Final = ("policy", "readers", "outputs", "sync", "config", "daemon", "registry")
OURS: Final = frozenset({*FLOORS, "bench"})  # DESIGN.md §1: no package that we use installs one of these
BESIDES: Final = frozenset({"vectors", "simulation", "crash", "e2e", "rig", "systemd"})  # tests of no single module
WRITTEN_BY_DJANGO: Final = "migrations"
GATHERERS: Final = frozenset({"conftest.py"})


def modules(folder: Path) -> Iterator[Path]:
    """Give the Python files below a folder, by their path there."""
    for path in sorted(folder.rglob("*.py")):
        if not {"__pycache__", WRITTEN_BY_DJANGO} & set(path.parts):
            yield path.relative_to(folder)


def mirror(module: Path) -> Path:
    """Return where the tests of a module belong."""
    return module.with_name(f"test_{module.name}")


def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


TESTS: Final = [path for path in modules(ROOT / "tests") if path.name.startswith("test_")]
MODULES: Final = [Path(floor, path) for floor in FLOORS for path in modules(ROOT / floor)]


@pytest.mark.parametrize("module", [path for path in MODULES if path.name != "__init__.py"], ids=str)
def test_each_module_has_its_tests(module: Path) -> None:
    """Where to look for what a module must do is never in question: tests mirror the folders."""
    assert mirror(module) in TESTS


@pytest.mark.parametrize(
    "test", [path for path in TESTS if path.parts[0] not in BESIDES and len(path.parts) > 1], ids=str
)
def test_each_test_module_belongs_to_a_module(test: Path) -> None:
    """Tests of something that is gone, or was renamed, are found."""
    assert test.with_name(test.name.removeprefix("test_")) in MODULES


def test_the_tests_have_no_other_folders() -> None:
    """Below tests there are the floors, and what belongs to no single module."""
    folders = {path.parts[0] for path in modules(ROOT / "tests") if len(path.parts) > 1}
    assert folders <= {*FLOORS, *BESIDES}


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_each_test_says_what_holds(test: Path) -> None:
    """Every test function has a sentence."""
    tree = parsed(ROOT / "tests" / test)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    tests = [node for node in functions if node.name.startswith("test_")]
    sentences = {node.name: (ast.get_docstring(node) or "").split("\n\n")[0] for node in tests}
    assert [name for name, sentence in sentences.items() if not is_sentence(sentence)] == []
    assert tests


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_each_module_says_its_one_idea(module: Path) -> None:
    """A module's docstring begins with a sentence that tells what it is for."""
    assert is_sentence((ast.get_docstring(parsed(ROOT / module)) or "").split("\n\n")[0])


def is_sentence(text: str) -> bool:
    """Tell whether a text is more than a word, and comes to an end."""
    return len(text.split()) > 2 and text.rstrip().endswith((".", ":", "!", "?"))


def test_nobody_else_has_our_names() -> None:
    """No installed package brings a top-level module called as one of ours: an import would be a matter of luck."""
    taken = {name: set(owners) - {"viipe"} for name, owners in packages_distributions().items() if name in OURS}
    assert {name: owners for name, owners in taken.items() if owners} == {}


def test_the_distribution_brings_all_floors() -> None:
    """What is installed is the whole application, each floor an importable package."""
    assert distribution("viipe").metadata["Name"] == "viipe"
    assert [floor for floor in FLOORS if not (ROOT / floor / "__init__.py").exists()] == []


def test_tests_are_no_package() -> None:
    """Pytest imports tests by their path; a package of tests would hide one of two modules of the same name."""
    assert [path for path in modules(ROOT / "tests") if path.name == "__init__.py"] == []
    assert {path.name for path in modules(ROOT / "tests") if path.name.startswith("conftest")} <= GATHERERS
