"""A folder of modules of the user's own, read in this process: a process of its own takes seconds to import torch."""

import textwrap

import pytest


@pytest.fixture
def my_models(tmp_path, monkeypatch):
    """Writes files into the folder of modules: `my_models(net="class Net...")`; returns the folder."""
    from sweeps.catalogue import read_user_models as reading
    from sweeps.catalogue import user_models

    folder = tmp_path / "my_models"
    folder.mkdir()
    monkeypatch.setenv("SWEEPBOARD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWEEPBOARD_MODULES", str(folder))
    monkeypatch.setattr(user_models, "LOOK_AGAIN", 0.0)
    monkeypatch.setattr(user_models, "background", False)  # as before the dashboard was opened in this process
    monkeypatch.setattr(user_models, "_read_all", lambda sources, folder: [reading.read(source) for source in sources])

    def write(**files):
        for name, text in files.items():
            path = folder / (name.replace("__in__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return folder

    return write
