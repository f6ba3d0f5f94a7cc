"""The models of the user's own modules in the catalogue and in a sweep: read once for each state of their files."""

import json
import sys
import threading
from types import SimpleNamespace

import pytest

from sweeps.catalogue import load, user_models
from sweeps.catalogue.user_files import Source
from sweeps.client import Client
from sweeps.fields import SpecError
from sweeps.preflight.check import Checker
from sweeps.service.stored import StoredSweeps
from sweeps.spec import check, configuration, parse

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


# The catalogue


def test_the_catalogue_holds_them_and_follows_their_changes(my_models):
    assert "net" not in load().models
    folder = my_models(net=NET)
    entry = load().models["net"]
    assert entry.source == str(folder / "net.py") and list(entry.fields) == ["hidden"]
    my_models(net=NET.replace("hidden", "breadth"))
    assert list(load().models["net"].fields) == ["breadth"]
    (folder / "net.py").unlink()
    assert "net" not in load().models and "mlp" in load().models


def test_a_state_of_the_files_is_read_once(my_models, monkeypatch):
    folder = my_models(net=NET)
    assert user_models.pending() and "net" in load().models and not user_models.pending()
    monkeypatch.setattr(user_models, "_read_all", lambda *_: pytest.fail("it is in the state folder"))
    monkeypatch.setattr(user_models, "_latest", user_models._Latest())
    assert "net" in load().models and user_models.problems() == ()
    (folder / "readme.txt").write_text("this is no module")
    assert "net" in load().models


def test_a_process_that_must_not_wait_has_what_was_found_before(my_models, monkeypatch):
    my_models(net=NET)
    monkeypatch.setattr(user_models, "_latest", user_models._Latest())
    monkeypatch.setattr(user_models, "background", True)
    assert "net" in load().models  # the first time it waits
    go_on = threading.Event()
    read = user_models._read_all
    monkeypatch.setattr(user_models, "_read_all", lambda *both: go_on.wait(20) and read(*both))
    my_models(net=NET.replace("Net", "Other"))
    assert "net" in load().models and user_models.pending() and "net" in load().models
    go_on.set()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "modules"]
    thread.join(20)
    assert list(user_models.current().entries) == ["other"] and not user_models.pending()
    my_models(net=NET)  # this state has been read before
    assert list(user_models.current().entries) == ["net"]


def test_a_collision_leaves_the_later_one_out(my_models):
    folder = my_models(a=NET, b=NET, c=NET.replace("Net", "MLP"))
    assert load().models["net"].source == str(folder / "a.py") and not load().models["mlp"].source
    assert user_models.problems() == (
        f"{folder}/b.py: Net would be called net, which Net of {folder}/a.py has already; rename the class.",
        f"{folder}/c.py: MLP would be called mlp, which is a model of Sweepboard's; rename the class.",
    )


def test_a_cache_that_cannot_be_written_is_one_sentence(my_models, tmp_path, monkeypatch):
    my_models(net=NET)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SWEEPBOARD_STATE", str(tmp_path / "file"))
    assert user_models.current().entries == {}
    (problem,) = user_models.problems()
    assert problem.startswith("The modules could not be read: ")


@pytest.fixture
def four(tmp_path, monkeypatch):
    """Four modules, of which two end the process that imports them."""
    folder = tmp_path / "four"
    folder.mkdir()
    (folder / "a.py").write_text("import os\nos._exit(7)")
    (folder / "b.py").write_text("print('to stdout')\n" + NET)
    (folder / "c.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    (folder / "d.py").write_text(NET.replace("Net", "Last"))
    monkeypatch.setenv("SWEEPBOARD_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(user_models, "background", False)  # as before the dashboard was opened in this process
    return folder


@pytest.mark.slow
def test_a_process_of_its_own_reads_them_and_survives_what_ends_it(four, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_MODULES", str(four))
    names = set(sys.modules)
    assert list(user_models.current().entries) == ["net", "last"]
    assert user_models.problems() == (
        f"{four}/a.py: importing it ended its process (exit code 7).",
        f"{four}/c.py: importing it ended its process (exit code -9).",
    )
    assert not {name for name in set(sys.modules) - names if name.startswith("_sweepboard")}
    assert not list((four.parent / "state" / "modules").glob("tmp*"))


@pytest.mark.slow
def test_a_thread_that_a_module_leaves_behind_keeps_nobody_waiting(tmp_path, monkeypatch):
    path = tmp_path / "threads.py"
    path.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n" + NET)
    ended = []
    run = user_models._run
    monkeypatch.setattr(user_models, "_run", lambda *arguments: ended.append(run(*arguments)) or ended[-1])
    monkeypatch.setattr(user_models, "PATIENCE", 30.0)
    (answer,) = user_models._read_all([Source(path, path)], tmp_path)
    assert list(answer["entries"]) == ["net"] and ended == ["ended its process (exit code 0)"]


def test_one_that_never_ends_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "sleeps.py"
    path.touch()
    monkeypatch.setattr(user_models, "PATIENCE", 0.1)
    (answer,) = user_models._read_all([Source(path, path)], tmp_path)
    assert answer == {"entries": {}, "problems": [f"{path}: importing it took longer than 0 seconds."]}


def test_the_command_line_lists_them_and_what_is_wrong(my_models, capsys):
    from sweeps.__main__ import main

    folder = my_models(net=NET, broken="import no_such_package")
    assert main(["catalogue"]) == 0
    out, err = capsys.readouterr()
    assert "  net (regression, binary, multiclass): Net of net.py." in out
    assert err == f"{folder}/broken.py: line 1: it imports no_such_package, which is not installed here.\n"
    assert main(["catalogue", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["models"]["net"]["class_name"] == "Net" and answer["problems"] == [err.strip()]


# In a sweep


def spec(**more):
    return {"name": "s", "model": {"name": "net"}, "data": {"name": "iris"}, **more}


def test_a_sweep_may_search_its_arguments_and_rank_by_its_metrics(my_models):
    my_models(net=NET)
    search = {"model.hidden": {"values": [2, 4]}, "optimizer.lr": {"values": [0.1]}}
    sweep = check(spec(search=search, objective={"metric": "val_acc", "direction": "maximize"}))
    assert sweep.objective.metric == "val_acc"
    assert configuration(sweep, {"model.hidden": 4})["model"] == {"name": "net", "hidden": 4}
    with pytest.raises(
        SpecError, match=r'objective.metric: "test_acc" is not allowed; allowed: a metric that the model'
    ):
        check(spec(objective={"metric": "test_acc"}))
    with pytest.raises(SpecError, match=r'objective.metric: "val_acc" is not allowed; allowed: val/loss, '):
        check({**spec(objective={"metric": "val_acc"}), "model": {"name": "mlp"}})


def test_what_has_no_default_must_be_said(my_models):
    my_models(net=NET.replace("hidden: int = 8", "hidden: int"))
    with pytest.raises(SpecError, match=r"model.hidden: missing; allowed: a whole number"):
        check(spec())
    assert check(spec(search={"model.hidden": {"values": [1, 2]}})).size() == 2
    assert configuration(check({**spec(), "model": {"name": "net", "hidden": 3}}))["model"]["hidden"] == 3


def test_a_model_with_optimizers_of_its_own_has_none_of_ours(my_models):
    my_models(net=NET + "    def configure_optimizers(self): ...\n")
    settings = configuration(check(spec(optimizer={"name": "sgd", "lr": 0.5})))
    assert settings["optimizer"] == {"name": "own"} and settings["schedule"] == {"name": "own"}
    allowed = "allowed: keys of the model, as net configures its optimizers itself"
    with pytest.raises(SpecError, match=rf'search: "optimizer.lr" is not allowed; {allowed}'):
        check(spec(search={"optimizer.lr": {"values": [0.1, 0.2]}}))


def test_coupled_settings_give_each_model_what_it_needs_and_no_more(my_models):
    my_models(net=NET.replace("hidden: int = 8", "hidden: int") + "    def configure_optimizers(self): ...\n")
    settings = {"mine": {"model.name": "net", "model.hidden": 3}, "other": {"model.name": "mlp", "optimizer.lr": 0.1}}
    raw = {"name": "s", "data": {"name": "iris"}, "search": {"cell": {"settings": settings}}}
    sweep = check(raw)
    assert configuration(sweep, {"cell": "mine"})["optimizer"] == {"name": "own"}
    assert configuration(sweep, {"cell": "other"})["optimizer"]["lr"] == 0.1
    settings["again"] = {"model.name": "net"}
    with pytest.raises(SpecError, match=r"^search.cell.settings.again.model.hidden: missing; allowed: a whole number"):
        check(raw)
    settings["again"] = {"model.name": "net", "model.hidden": 4, "optimizer.lr": 0.1}
    allowed = "allowed: keys of the model, as net configures its optimizers itself"
    with pytest.raises(SpecError, match=rf'^search.cell.settings.again: "optimizer.lr" is not allowed; {allowed}'):
        check(raw)


TEXT = """
name: s
model: {name: net}
data: {name: iris}
"""
SEARCHED = f"{TEXT}search: {{model.name: {{values: [mlp, net]}}}}"
COUPLED = "{name: s, data: {name: iris}, search: {cell: {settings: {a: {model.name: mlp}, b: {model.name: net}}}}}"


def test_a_model_of_modules_that_only_the_client_reads_is_refused_without_a_guess(my_models, tmp_path):
    with pytest.raises(SpecError, match=r'"net" is not allowed; .*; did you mean'):
        parse(TEXT)
    end = "end it with sweepboard service --stop, and what you do next starts it with yours."
    for text in (TEXT, SEARCHED, COUPLED):
        with pytest.raises(SpecError) as refused:
            parse(text, accepted_with=["/elsewhere"])
        read = f"as it was started with the modules {tmp_path / 'my_models'} (SWEEPBOARD_MODULES); {end}"
        assert str(refused.value) == f'model.name: "net" is of modules that the service does not read, {read}'


def test_a_model_of_the_same_name_in_other_modules_is_refused(my_models):
    folder = my_models(net=NET)
    assert parse(TEXT, accepted_with=[str(folder)]) == parse(TEXT)
    for text in (TEXT, SEARCHED, COUPLED):
        with pytest.raises(SpecError, match='"net" is of modules that the service does not read'):
            parse(text, accepted_with=["/elsewhere"])
    assert parse(TEXT.replace("net", "mlp"), accepted_with=["/elsewhere"]) == parse(TEXT.replace("net", "mlp"))


def test_a_service_without_modules_says_so_of_what_it_is_asked_and_of_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_MODULES", "")
    answer = Checker(tmp_path).check(TEXT, wait=0.0, accepted_with=["/elsewhere"])
    (problem,) = answer["problems"]
    assert "as it was started without modules (SWEEPBOARD_MODULES)" in problem
    with pytest.raises(SpecError, match="as it was started without modules"):
        StoredSweeps(SimpleNamespace(artifact=lambda run_id, path: TEXT.encode())).spec("abc")


@pytest.mark.parametrize(("text", "accepted"), [(TEXT, True), (TEXT.replace("net", "nte"), False)])
def test_a_client_says_with_which_modules_it_accepts_what_it_asks(text, accepted, my_models, monkeypatch):
    folder = my_models(net=NET)
    requests = []
    monkeypatch.setattr("sweeps.client.request", lambda folder, content, timeout: requests.append(content) or {})
    Client("sqlite:///none.db").check(text, wait=0.1)
    assert [content["modules"] for content in requests] == [[str(folder)] if accepted else None]


def test_a_model_that_is_taken_away_is_one_sentence(my_models):
    folder = my_models(net=NET)
    sweep = check(spec(search={"model.hidden": {"values": [1]}}))
    (folder / "net.py").unlink()
    for use in (lambda: configuration(sweep), sweep.size):
        with pytest.raises(SpecError, match=r'model.name: "net" is not allowed; allowed: linear_regression, '):
            use()
