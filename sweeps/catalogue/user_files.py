"""User modules: which files there are, and how one is imported without touching anything of ours.

A setting names files, packages, or folders; of a folder every `*.py` and every package directly in it counts, but for
those whose name begins with an underscore or a dot. Each is imported under a private name that holds a hash of its
sources: it can shadow nothing, and an edited file is a new module. While it is imported, the folder it lies in stands
last on `sys.path`, so that files that lie side by side may import each other, even one that is called like a package of
ours; and `lightning`, as many write it, means the `pytorch_lightning` that trains here.

Only workers and the process that reads the catalogue import such code; finding it imports nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sweeps.interpreter import ROOT

FED: Final = (
    "input_shape",
    "num_outputs",
    "task",
    "in_features",
    "input_dim",
    "num_features",
    "out_features",
    "output_dim",
    "num_classes",
)
"""Arguments of a constructor that the data decides: those of `DataModule.dims`, and other names for the same."""
FED_BY_TEXTS: Final = ("vocab_size", "source_vocab_size", "target_vocab_size")
"""Such arguments of models that say that they take texts (`takes`)."""
OURS: Final = ("analysis", "app", "data", "learning_tasks", "lightning_modules", "sweeps", "tracking")


@dataclass(frozen=True)
class Source:
    """One file or package."""

    path: Path
    """A file, or the folder of a package."""
    named: Path
    """What the settings name: the path itself, or the folder that it lies in."""


def find(named: Iterable[Path]) -> tuple[list[Source], list[str]]:
    """(what there is to import, a sentence for each path that holds nothing), in the order of the paths."""
    sources: dict[Path, Source] = {}
    problems = []
    for path in named:
        if _is_package(path) or (path.suffix == ".py" and path.is_file()):
            modules = [path]
        elif path.is_dir():
            modules = sorted(inner for inner in path.iterdir() if _counts(inner))
        else:
            modules = []
        for module in modules:
            sources.setdefault(module, Source(module, path))
        if not modules:
            what = "it holds no Python file and no package" if path.is_dir() else "it is not there"
            problems.append(f"{path}: {what}; allowed: a Python file, a package, or a folder of them.")
    return list(sources.values()), problems


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").is_file()


def _counts(path: Path) -> bool:
    if path.name.startswith(("_", ".")):
        return False
    return (path.suffix == ".py" and path.is_file()) or _is_package(path)


def files(named: Path) -> list[Path]:
    """Every Python file that a named path may consist of, files beside it included."""
    if _is_package(named):
        return sorted(named.rglob("*.py"))
    folder = named.parent if named.is_file() else named
    beside = [path for path in folder.iterdir() if _can_be_imported(path)] if folder.is_dir() else []
    return sorted(file for path in beside for file in ([path] if path.is_file() else path.rglob("*.py")))


def _can_be_imported(path: Path) -> bool:
    """Whether a file beside this one may import it: a Python file, or a folder that holds some."""
    if path.is_dir():
        return path.name.isidentifier() and any(path.glob("*.py"))
    return path.suffix == ".py"


def stamp(named: Iterable[Path]) -> tuple[object, ...]:
    """A value that changes when a file does, or when a package is installed; cheap, since no file is read."""
    parts: list[object] = [_mtime(sysconfig.get_path("purelib"))]
    for path in named:
        parts.append(str(path))
        for file in files(path):
            with contextlib.suppress(OSError):
                stat = os.stat(file)
                parts.append((str(file), stat.st_mtime_ns, stat.st_size))
    return tuple(parts)


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def digest(named: Path) -> str:
    """A SHA-256 of all its files' names and contents."""
    sha = hashlib.sha256()
    for file in files(named):
        with contextlib.suppress(OSError):
            content = file.read_bytes()
            sha.update(f"{os.path.relpath(file, named.parent)}\0{len(content)}\0".encode())
            sha.update(content)
    return sha.hexdigest()


def load(source: Source) -> ModuleType:
    """Import it, once for each state of its files.

    Raises:
        BaseException: Whatever its code raises.
    """
    package = source.path.is_dir()
    name = f"_sweepboard_{digest(source.named)[:16]}_{source.path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    file = source.path / "__init__.py" if package else source.path
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(source.path)] if package else None
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importing(source.path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        raise
    return module


def submodules(module: ModuleType, source: Source) -> list[ModuleType]:
    """The modules directly in a package, imported; none of a file, and none that begins with an underscore."""
    if not source.path.is_dir():
        return []
    names = [info.name for info in pkgutil.iter_modules([str(source.path)]) if not info.name.startswith("_")]
    with _importing(source.path.parent):
        return [importlib.import_module(f"{module.__name__}.{name}") for name in names]


class _FinderBeside:
    """Finds what lies in a folder and is called like a package of ours, before ours is found."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.names = {name for name in OURS if _beside(folder, name)}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self._folder]) if name in self.names else None


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    before = dict(sys.modules)
    finder = _FinderBeside(folder)
    for name in before:
        if _top(name) in finder.names:
            del sys.modules[name]
    writes_bytecode = sys.dont_write_bytecode
    # A compiled file is found by time and size alone: one of an edit within the same second would be taken for new.
    sys.dont_write_bytecode = True
    sys.path.append(str(folder))
    sys.meta_path.insert(0, finder)
    sys.modules.update(_lightning())
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_bytecode
        sys.path.remove(str(folder))
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            top = _top(name)
            if top == "lightning" or top in finder.names:
                del sys.modules[name]
            elif name not in before and _beside(folder, top):
                del sys.modules[name]  # so that files of the same name in two folders are two modules
        sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


def _lightning() -> dict[str, ModuleType]:
    """The modules that `lightning` and what is in it stand for."""
    import lightning_fabric
    import pytorch_lightning

    whole = ModuleType("lightning")
    whole.__dict__.update(
        __path__=[],
        __getattr__=lambda name: getattr(pytorch_lightning, name),
        pytorch=pytorch_lightning,
        fabric=lightning_fabric,
    )
    aliases = {"lightning": whole}
    for alias, real in (("lightning.pytorch", "pytorch_lightning"), ("lightning.fabric", "lightning_fabric")):
        inner = {name: module for name, module in sys.modules.items() if name == real or name.startswith(f"{real}.")}
        aliases |= {alias + name.removeprefix(real): module for name, module in inner.items()}
    return aliases


def _top(name: str) -> str:
    """`data` of `data.base`."""
    return name.partition(".")[0]


def _beside(folder: Path, name: str) -> Path | None:
    """What a file in the folder means when it imports this name: a file or a folder beside it, None without one."""
    paths = (folder / f"{name}.py", folder / name)
    return next((path for path in paths if path.exists() and _can_be_imported(path)), None)


def line_of(source: Source, error: BaseException) -> tuple[Path, int] | None:
    """The innermost line of a module's files, or of those beside it, that an error came from: (file, line)."""
    paths = set(files(source.named))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (file := Path(frame.filename)) in paths:
            return file, frame.lineno or 0
    return None


def sentence(source: Source, error: BaseException, doing: str = "importing it") -> str:
    """Why a module cannot be used, with the file and the line.

    Args:
        source: The module.
        error: What its code raised.
        doing: When it did: what was done with the module.
    """
    if isinstance(error, SyntaxError) and error.filename:
        place: tuple[Path, int] | None = (Path(error.filename), error.lineno or 0)
    else:
        place = line_of(source, error)
    where = str(source.path)
    if place:
        file, line = place
        where += f": line {line}" if file == source.path else f": {file}, line {line}"
    return f"{where}: {_reason(source, error, doing)}"


def _reason(source: Source, error: BaseException, doing: str) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg}."
    if isinstance(error, SystemExit):
        return f"{doing} ended the process (sys.exit)."
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
    if name := _package_of_ours(error):
        beside = _beside(source.path.parent, name)
        meant = f", not {beside}; rename that" if beside else "; if a file of yours is meant, rename it"
        return f"{doing} raised {text}. Here {name} is Sweepboard's package {ROOT / name}{meant}."
    if isinstance(error, ModuleNotFoundError):
        return f"it imports {error.name}, which is not installed here."
    return f"{doing} raised {text}."


def _package_of_ours(error: BaseException) -> str | None:
    """The package of ours that lacks what was asked of it, so that a file of the user's may have been meant."""
    if isinstance(error, ImportError):
        name = error.name or ""
    else:
        asked = getattr(error, "obj", None)
        name = asked.__name__ if isinstance(asked, ModuleType) else ""
    return _top(name) if _top(name) in OURS else None
