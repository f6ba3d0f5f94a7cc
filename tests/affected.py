"""`make check`: run the tests that the change under way can break, and no others.

A file is changed if it differs from the branch that this one will join (the upstream, else the last commit). A test is
run if it changed, if it reads a file that changed (READ_FILES), or if it names a module that changed or that imports a
changed one, directly or through others; a page's tests name it by its file in app/views. Browser, fault and slow tests
are left to `make test`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "app", "data", "learning_tasks", "lightning_modules", "sweeps", "tracking")
READ_FILES = {"tests/test_labs.py": ("labs/",), "tests/test_layout.py": tuple(f"{name}/" for name in PACKAGES)}
"""Test file -> the folders whose files it reads without importing them."""
EVERYTHING = ("requirements.txt", "pyproject.toml", "tests/conftest.py")
MARKS = "not slow and not browser and not faults"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def changed_files() -> set[str]:
    """The paths that differ from where this branch left its upstream, untracked ones included."""
    base = git("merge-base", "HEAD", "@{upstream}") or "HEAD"
    return set(git("diff", "--name-only", base).split()) | set(git("ls-files", "-o", "--exclude-standard").split())


def module_of(path: str) -> str:
    """The module of a file, or one named like it: `sweeps.catalogue.entries` for sweeps/catalogue/entries.json."""
    return str(Path(path).with_suffix("")).replace("/", ".").removesuffix(".__init__")


def affected_modules(changed: set[str]) -> set[str]:
    """The changed modules, and all that import one of them, directly or through others."""
    graph = grimp.build_graph(*PACKAGES)
    touched = {module_of(path) for path in changed} & graph.modules
    return touched | {user for module in touched for user in graph.find_downstream_modules(module)}


def names_in(source: str, pages: dict[str, str]) -> Iterator[str]:
    """The modules that a test file names: those that it imports, replaces something in, or opens as a page."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in pages:
                yield pages[node.value]
            for name in re.findall(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+", node.value):
                parts = name.split(".")
                yield from (".".join(parts[:count]) for count in range(2, len(parts) + 1))


def affected_tests(changed: set[str]) -> list[str]:
    """The test files and folders to run."""
    if changed & set(EVERYTHING):
        return ["tests"]
    modules = affected_modules(changed)
    pages = {path.stem: f"app.views.{path.stem}" for path in (ROOT / "app/views").glob("*.py")}
    folders = {str(Path(path).parent) for path in changed if path.startswith("tests/") and path.endswith("conftest.py")}
    chosen = set(folders)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = str(file.relative_to(ROOT))
        reads_the_files = path in READ_FILES and any(name.startswith(READ_FILES[path]) for name in changed)
        named = names_in(file.read_text(), pages if path.startswith("tests/app/") else {})
        if path in changed or reads_the_files or not modules.isdisjoint(named):
            chosen.add(path)
    return sorted(path for path in chosen if path in folders or str(Path(path).parent) not in folders)


def main(paths: list[str]) -> int:
    """Run the tests of the change under way; if `paths` are given, only print the tests of these.

    Returns:
        The exit code of pytest, 0 where no test is affected.
    """
    tests = affected_tests(set(paths) or changed_files())
    print("Tests of the change:", *tests or ["none"], sep="\n  ", flush=True)
    if paths or not tests:
        return 0
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-m", MARKS, *tests]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return 0 if code == 5 else code  # 5: those files hold browser, fault and slow tests only


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of tests/, whose folders have the names of the packages
    sys.exit(main(sys.argv[1:]))
