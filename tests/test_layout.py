"""The layout of the product: names that hide nothing else, files that are not too long, arguments as described."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = CONFIGURATION["tool"]["importlinter"]["root_packages"]
LONGEST = 400
"""Lines of a file."""


def importable(folder: Path) -> set[str]:
    """The names that Python can import from a folder on its path: those of its modules and folders."""
    return {
        path.stem
        for path in folder.iterdir()
        if (path.suffix == ".py" or path.is_dir()) and path.stem.isidentifier() and not path.stem.startswith("__")
    }


def owners() -> dict[str, str]:
    """Name of a module that can be imported -> whose it is."""
    installed = {name: f"installed by {', '.join(sorted(set(of)))}" for name, of in packages_distributions().items()}
    standard = dict.fromkeys(sys.stdlib_module_names, "of the standard library")
    return installed | standard | {path.name: "a folder of this repository" for path in ROOT.iterdir() if path.is_dir()}


def hidden_by(folder: Path) -> list[str]:
    """For each module that cannot be imported once this folder is first on the path: its name, and whose it is."""
    owner = owners()
    return [f"{name} ({owner[name]})" for name in sorted(importable(folder) & owner.keys())]


def test_no_name_in_app_hides_another_module() -> None:
    hidden = hidden_by(ROOT / "app")
    assert not hidden, (
        f"Streamlit puts app/ first on sys.path, so that app/NAME is imported in place of these: {'; '.join(hidden)}."
        " Rename the file or folder in app/."
    )


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("statistics.py", "statistics (of the standard library)"),
        ("tracking/__init__.py", "tracking (a folder of this repository)"),
        ("numpy/array.py", "numpy (installed by numpy)"),
    ],
)
def test_a_name_that_hides_another_module_is_found(tmp_path: Path, path: str, owner: str) -> None:
    for name in ("__init__.py", "streamlit_app.py", "json.svg", path):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert hidden_by(tmp_path) == [owner]


def too_long(root: Path, packages: list[str]) -> list[str]:
    """The Python files of these packages that have more than LONGEST lines, each with its number of lines."""
    counts = {
        str(file.relative_to(root)): len(file.read_text(encoding="utf-8").splitlines())
        for package in packages
        for file in sorted((root / package).rglob("*.py"))
    }
    return [f"{path}: {lines}" for path, lines in counts.items() if lines > LONGEST]


def test_no_file_of_the_product_is_too_long() -> None:
    files = too_long(ROOT, PACKAGES)
    assert not files, f"more than {LONGEST} lines, split by idea:\n" + "\n".join(files)


def test_a_file_that_is_too_long_is_found(tmp_path: Path) -> None:
    for name, lines in (("a/b/long.py", LONGEST + 1), ("a/short.py", LONGEST), ("other/long.py", LONGEST + 1)):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("pass\n" * lines)
    assert too_long(tmp_path, ["a"]) == [f"a/b/long.py: {LONGEST + 1}"]


def unknown_arguments(source: str) -> Iterator[str]:
    """For each docstring of `source` that describes an argument which is not there: the function and the arguments."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", ast.get_docstring(node) or "", flags=re.M)
        methods = (
            [node]
            if isinstance(node, ast.FunctionDef)
            else [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        )
        if not section or not methods:
            continue
        arguments = methods[0].args
        names = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        names |= {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument}
        described = re.findall(r"^    (\w+):", section[1], flags=re.M)
        if unknown := [name for name in described if name not in names]:
            yield f"{node.name}: {', '.join(unknown)}"


def test_docstrings_describe_arguments_that_are_there() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}, {text}"
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*.py"))
        for text in unknown_arguments(file.read_text(encoding="utf-8"))
    ]
    assert not wrong, "described under Args, but no argument:\n" + "\n".join(wrong)


def test_a_described_argument_that_is_not_there_is_found() -> None:
    docstring = '"""The mean.\n\n    Args:\n        x: Numbers.\n        level: Of it.\n    """'
    renamed = f"def mean(values, *, level=0.95):\n    {docstring}"
    assert list(unknown_arguments(renamed)) == ["mean: x"]
    assert not list(unknown_arguments(renamed.replace("x:", "values:")))
