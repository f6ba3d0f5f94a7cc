"""Modules of the user's own: found, imported without a trace, and read or refused in a sentence."""

import importlib
import os
import sys
import textwrap
import tomllib

import pytest

from sweeps.catalogue import read_user_models as reading
from sweeps.catalogue import user_files as modules
from sweeps.catalogue.user_files import Source
from sweeps.fields import Field
from sweeps.interpreter import ROOT

NET = """
import pytorch_lightning as pl
import torch

class Net(pl.LightningModule):
    def __init__(self, in_features: int, hidden: int = 8):
        super().__init__()
        self.layers = torch.nn.Linear(in_features, hidden)
    def training_step(self, batch, batch_idx):
        return self.layers(batch[0].flatten(1)).square().mean()
"""


def source(path, text=None):
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return Source(path, path.parent)


def net(signature, body="", base="pl.LightningModule", head=""):
    """A module with one class whose constructor takes these arguments."""
    step = "def training_step(self, batch, batch_idx): return None"
    lines = [
        head,
        "import pytorch_lightning as pl",
        "import typing as t",
        "from torch import nn",
        f"class Net({base}):",
    ]
    lines += [f"    def __init__(self, {signature}):", "        super().__init__()", f"    {body or step}"]
    return "\n".join(lines)


# Finding


def test_a_folder_holds_files_and_packages_but_none_that_are_hidden(tmp_path):
    for path in ("b.py", "a.py", "_base.py", ".c.py", "notes.txt", "pack/__init__.py", "pack/inner.py", "plain/x.py"):
        source(tmp_path / path, "")
    sources, problems = modules.find([tmp_path])
    assert [item.path.name for item in sources] == ["a.py", "b.py", "pack"] and problems == []
    assert {item.named for item in sources} == {tmp_path}


def test_a_file_or_a_package_can_be_named_itself_and_counts_once(tmp_path):
    one, pack = tmp_path / "one.py", tmp_path / "pack"
    source(one, "")
    source(pack / "__init__.py", "")
    sources, problems = modules.find([one, pack, tmp_path])
    assert [(item.path, item.named) for item in sources] == [(one, one), (pack, pack)] and problems == []


def test_a_path_that_holds_nothing_is_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    sources, problems = modules.find([tmp_path / "none", tmp_path / "empty"])
    assert sources == []
    allowed = "; allowed: a Python file, a package, or a folder of them."
    assert problems == [
        f"{tmp_path}/none: it is not there{allowed}",
        f"{tmp_path}/empty: it holds no Python file and no package{allowed}",
    ]


# Importing


def test_nothing_is_shadowed_and_no_trace_is_left(tmp_path, monkeypatch):
    import data

    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    paths, names, before = list(sys.path), set(sys.modules), sys.modules["torch"]
    source(tmp_path / "beside.py", "y = 1")
    loaded = modules.load(source(tmp_path / "data.py", "import torch\nimport beside\nx = beside.y"))
    assert sys.modules["data"] is data and sys.modules["torch"] is before and sys.path == paths
    assert set(sys.modules) - names == {loaded.__name__} and loaded.__name__.startswith("_sweepboard_")
    assert not list(tmp_path.rglob("__pycache__"))


def test_files_of_one_name_in_two_folders_are_two(tmp_path):
    for number in (1, 2):
        source(tmp_path / str(number) / "beside.py", f"value = {number}")
        loaded = modules.load(source(tmp_path / str(number) / "net.py", "from beside import value"))
        assert loaded.value == number


def test_a_package_may_import_its_own(tmp_path):
    source(tmp_path / "pack" / "inner.py", "value = 3")
    source(tmp_path / "pack" / "__init__.py", "from .inner import value")
    assert modules.load(source(tmp_path / "pack")).value == 3


def test_an_edited_file_is_another_module_even_at_the_same_time_and_size(tmp_path):
    first = modules.load(source(tmp_path / "net.py", "value = 1"))
    stat = (tmp_path / "net.py").stat()
    second = source(tmp_path / "net.py", "value = 2")
    os.utime(second.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (first.value, modules.load(second).value) == (1, 2)
    assert modules.load(second) is modules.load(second)


@pytest.mark.parametrize(
    "line",
    [
        "import lightning as L; base = L.LightningModule",
        "import lightning.pytorch as L; base = L.LightningModule",
        "from lightning import LightningModule as base",
        "from lightning.pytorch import LightningModule as base",
        "import lightning.pytorch.callbacks as c; c.EarlyStopping; from lightning import LightningModule as base",
        "from lightning.pytorch.callbacks import Callback; import lightning; base = lightning.pytorch.LightningModule",
    ],
)
def test_lightning_means_the_one_that_trains_here(line, tmp_path):
    import pytorch_lightning

    assert modules.load(source(tmp_path / "net.py", line)).base is pytorch_lightning.LightningModule
    assert "lightning" not in sys.modules


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nclass Net(", "line 2: '(' was never closed."),
        ("\nimport no_such_package.inner", "line 2: it imports no_such_package, which is not installed here."),
        ("import sys\nsys.exit(3)", "line 2: importing it ended the process (sys.exit)."),
        ("def f():\n    1 / 0\nf()", "line 2: importing it raised ZeroDivisionError: division by zero."),
        ("x = 1", "it defines no LightningModule."),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(text, sentence, tmp_path):
    names = set(sys.modules)
    answer = reading.read(source(tmp_path / "net.py", text))
    assert answer == {"entries": {}, "problems": [f"{tmp_path / 'net.py'}: {sentence}"]}
    left = {name for name in set(sys.modules) - names if name.startswith("_sweepboard_")}
    assert len(left) == (text == "x = 1")


@pytest.mark.parametrize(
    ("line", "raised"),
    [
        ("from data import Mine", f"ImportError: cannot import name 'Mine' from 'data' ({ROOT}/data/__init__.py)"),
        ("import app.mine", "ModuleNotFoundError: No module named 'app.mine'"),
        ("import data; data.mine()", "AttributeError: module 'data' has no attribute 'mine'"),
    ],
)
def test_a_package_of_ours_that_was_not_meant_is_named_with_its_folder(line, raised, tmp_path):
    (problem,) = reading.read(source(tmp_path / "net.py", line))["problems"]
    package = "app" if "app" in line else "data"
    meant = f"Here {package} is Sweepboard's package {ROOT / package}; if a file of yours is meant, rename it."
    assert problem == f"{tmp_path / 'net.py'}: line 1: importing it raised {raised}. {meant}"


def test_every_package_of_ours_is_known():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(modules.OURS) == {name.removesuffix("*") for name in packages}


@pytest.mark.parametrize("name", modules.OURS)
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_a_sibling_that_is_called_like_a_package_of_ours_is_imported(name, file, tmp_path):
    ours = importlib.import_module(name)
    loaded = dict(sys.modules)
    source(tmp_path / file.format(name), "value = 'mine'")
    assert modules.load(source(tmp_path / "net.py", f"from {name} import value")).value == "mine"
    assert sys.modules[name] is ours
    assert {key: sys.modules.get(key) for key in loaded} == loaded and len(sys.modules) == len(loaded) + 1


def test_a_sibling_may_be_a_folder_without_init(tmp_path):
    source(tmp_path / "data" / "loader.py", "value = 1")
    net = source(tmp_path / "net.py", "from data.loader import value")
    assert modules.load(net).value == 1
    source(tmp_path / "data" / "loader.py", "value = 2")
    assert modules.load(net).value == 2  # an edit is seen there too


def test_a_folder_of_files_that_are_no_code_hides_nothing(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").touch()
    loaded = modules.load(source(tmp_path / "net.py", "from data import DataModule"))
    assert loaded.DataModule is importlib.import_module("data").DataModule


def test_an_error_in_a_file_beside_it_names_that_file(tmp_path):
    source(tmp_path / "beside.py", "\n1 / 0")
    (problem,) = reading.read(source(tmp_path / "net.py", "\n\nimport beside"))["problems"]
    assert problem == (
        f"{tmp_path / 'net.py'}: {tmp_path / 'beside.py'}, line 2: "
        "importing it raised ZeroDivisionError: division by zero."
    )


def test_a_line_of_an_installed_package_is_not_taken_for_one_of_the_module(tmp_path):
    source(tmp_path / ".venv" / "lib" / "installed.py", "1 / 0")
    text = f"import sys\nsys.path.append({str(tmp_path / '.venv' / 'lib')!r})\nimport installed"
    (problem,) = reading.read(source(tmp_path / "net.py", text))["problems"]
    sys.path.remove(str(tmp_path / ".venv" / "lib"))
    assert problem == f"{tmp_path / 'net.py'}: line 3: importing it raised ZeroDivisionError: division by zero."


# What is in a module


def entries(tmp_path, text, problems=0):
    answer = reading.read(source(tmp_path / "net.py", text))
    assert len(answer["problems"]) == problems, answer["problems"]
    return answer["entries"]


@pytest.mark.parametrize(
    ("name", "snake"),
    [("Net", "net"), ("LeNet5", "le_net5"), ("MLPMixer", "mlp_mixer"), ("Conv2D", "conv2d"), ("GAN", "gan"),
     ("ResNet18Wide", "res_net18_wide"), ("already_snake", "already_snake")],
)  # fmt: skip
def test_the_name_is_the_class_in_snake_case(name, snake):
    assert reading.snake_case(name) == snake


@pytest.mark.parametrize(
    ("signature", "field"),
    [
        ("x: int = 3", Field("x", "int", 3)),
        ("x: int", Field("x", "int", None, required=True)),
        ("x: float = 1", Field("x", "float", 1.0)),
        ("x: bool = True", Field("x", "bool", True)),
        ("x: str = 'a'", Field("x", "str", "a")),
        ("x: str", Field("x", "str", None, required=True)),
        ("x: list[int] = (1, 2)", Field("x", "int_list", [1, 2])),
        ("x: t.List[float]", Field("x", "float_list", None, required=True)),
        ("x: t.Literal['a', 'b'] = 'b'", Field("x", "choice", "b", choices=("a", "b"))),
        ("x: t.Optional[int] = None", Field("x", "int", None, optional=True)),
        ("x: int = None", Field("x", "int", None, optional=True)),
        ("*, x: int = 3", Field("x", "int", 3)),
        ("x=3", Field("x", "int", 3)),
        ("x=0.5", Field("x", "float", 0.5)),
        ("x=False", Field("x", "bool", False)),
        ("x='a'", Field("x", "str", "a")),
        ("x=(8, 8)", Field("x", "int_list", [8, 8])),
        ("x=[0.9, 1]", Field("x", "float_list", [0.9, 1.0])),
        ("x: list = [8]", Field("x", "int_list", [8])),
        ("x: 'Unknown' = 3", Field("x", "int", 3)),
    ],
)
def test_an_argument_becomes_a_field(signature, field, tmp_path):
    (stored,) = entries(tmp_path, net(signature))["net"]["fields"]
    assert Field.from_json(stored) == field


@pytest.mark.parametrize(
    "signature",
    ["x=nn.ReLU()", "x: nn.Module = None", "x: type = nn.Linear", "x=None", "x: list[str] = ('a',)", "x=('a', 'b')",
     "x: dict = {}",
     "x: float = float('inf')", "x: int = 'seven'", "x=()", "name: str = 'a'", "x: int = 3, /", "*x", "**x"],
)  # fmt: skip
def test_what_no_form_can_ask_for_stays_at_its_default(signature, tmp_path):
    entry = entries(tmp_path, net(signature))["net"]
    assert entry["fields"] == []
    assert ("Left at their defaults: " in entry["help"]) is not signature.startswith("*")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (net("layer: nn.Module"), "its argument layer needs an object (Module) and has no default; allowed: int, "),
        (net("layers: list[nn.Module]"), "its argument layers needs an object (list"),
        (net("layers: list"), "its argument layers has no type and no default; allowed: int, float, bool, str, a list"),
        (net("size"), "its argument size has no type and no default; allowed: int, float, bool, str, a list of "),
        (net("size: int, /"), "its argument size can only be given by its place; take the / out."),
        (net("name: str"), "its argument name collides with model.name, which says which model is meant; call it "),
        (net("x=1", "pass"), "it has no training_step, so that it cannot be trained."),
        (net("x=1", "def training_step(self, batch, batch_idx, optimizer_idx): ..."),
         "Lightning 2 gives training_step no optimizer_idx any more; use manual optimisation instead."),
        *((net("x=1", f"def training_step(self, b, i): ...\n    def {hook}(self, *a): ..."),
           f"Lightning 2 does not call {hook} any more; write {instead} instead.")
          for hook, instead in reading.REMOVED.items()),
    ],
)  # fmt: skip
def test_a_class_that_cannot_be_trained_is_one_sentence(text, why, tmp_path):
    answer = reading.read(source(tmp_path / "net.py", text))
    assert answer["entries"] == {}
    (problem,) = answer["problems"]
    assert problem.startswith(f"{tmp_path / 'net.py'}: Net: {why}") and problem.endswith(".") and "\n" not in problem


def test_removed_hooks_are_those_that_lightning_has_no_more():
    import pytorch_lightning as pl

    assert not [hook for hook in reading.REMOVED if hasattr(pl.LightningModule, hook)]
    instead = {name for name in reading.REMOVED.values() if " " not in name}
    assert all(hasattr(pl.LightningModule, name) for name in instead)


def test_what_the_data_decides_is_no_field(tmp_path):
    signature = ", ".join(f"{name}: int" for name in modules.FED)
    assert entries(tmp_path, net(f"{signature}, x: int = 1"))["net"]["fields"] == [
        {"name": "x", "type": "int", "default": 1}
    ]


def test_help_and_summary_come_from_the_docstring_if_there_is_one(tmp_path):
    text = '''
    import pytorch_lightning as pl

    class _Base(pl.LightningModule):
        """A base.

        Args:
            depth: How deep.
        """
        def __init__(self, depth: int = 1):
            super().__init__()
        def training_step(self, batch, batch_idx): ...

    class Net(_Base):
        """It learns
        something.

        Much.

        Args:
            width: How wide.
        """
        tasks = ("binary",)
        def __init__(self, width: int = 2, **more):
            super().__init__(**more)

    class Bare(_Base):
        def configure_optimizers(self): ...
    '''
    models = entries(tmp_path, text)
    assert list(models) == ["net", "bare"]
    entry = models["net"]
    assert (entry["summary"], entry["help"], entry["tasks"]) == ("It learns something.", "Much.", ["binary"])
    assert [(field["name"], field["help"]) for field in entry["fields"]] == [
        ("width", "How wide."),
        ("depth", "How deep."),
    ]
    assert models["bare"]["summary"] == "Bare of net.py." and len(models["bare"]["tasks"]) == 3
    assert [entry.get("own_optimizer", False) for entry in models.values()] == [False, True]
    assert entry["foreign"] and entry["class_name"] == "Net" and entry["source"] == str(tmp_path / "net.py")


def test_what_asks_for_classes_is_for_no_regression(tmp_path):
    model = entries(tmp_path, net("num_classes: int"))["net"]
    assert model["tasks"] == ["binary", "multiclass"]
    assert len(entries(tmp_path, net("num_classes: int = 2"))["net"]["tasks"]) == 3


def test_classes_that_are_imported_are_not_defined_here(tmp_path):
    source(tmp_path / "beside.py", NET)
    answer = reading.read(source(tmp_path / "other.py", "from beside import Net\nfrom lightning_modules import MLP"))
    assert answer["entries"] == {} and "defines no LightningModule" in answer["problems"][0]


def test_a_package_offers_what_its_init_holds_or_else_its_modules(tmp_path):
    source(tmp_path / "pack" / "inner.py", NET)
    source(tmp_path / "pack" / "_hidden.py", "raise ValueError")
    source(tmp_path / "pack" / "__init__.py", "")
    assert list(reading.read(source(tmp_path / "pack"))["entries"]) == ["net"]
    source(tmp_path / "pack" / "other.py", NET.replace("Net", "Other"))
    source(tmp_path / "pack" / "__init__.py", "from .other import Other")
    assert list(reading.read(source(tmp_path / "pack"))["entries"]) == ["other"]


def test_a_subclass_of_our_base_is_no_stranger(tmp_path):
    text = """
    from torch import nn
    from lightning_modules import Module

    class Mine(Module):
        tasks = ("regression",)
        def __init__(self, *, input_shape, num_outputs: int, task: str, width: int = 4):
            super().__init__(task=task)
    """
    entry = entries(tmp_path, text)["mine"]
    assert "foreign" not in entry and entry["tasks"] == ["regression"] and len(entry["fields"]) == 1


def test_two_classes_of_one_name_in_a_file(tmp_path):
    text = NET + NET.replace("class Net", "class net")
    answer = reading.read(source(tmp_path / "net.py", text))
    assert list(answer["entries"]) == ["net"]
    assert answer["problems"] == [f"{tmp_path / 'net.py'}: net would be called net, which Net is; rename the class."]
