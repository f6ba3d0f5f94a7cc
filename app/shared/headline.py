"""What stands above a comparison: what it is about, and what must hold for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from analysis.runs import growth
from analysis.runs.confounds import configurations_of, confound_sentence, confounds
from analysis.runs.losses import losses_sentence
from analysis.runs.ranking import Group
from app.shared import store, ui
from app.shared.selection import MOST_READ, View, roles_of, trained_elsewhere
from sweeps.catalogue.entries import AUTO, LOSS, ours


def _set_by(view: View, varied: Sequence[str]) -> set[str]:
    """The keys that belong to what is varied, since the settings of a coupled key among it set them."""
    coupled = [key for key in varied if "." not in key]
    keys: set[str] = set()
    for sweep in dict.fromkeys(view.runs["parent"]) if coupled else ():
        spec = store.spec_of(sweep) if sweep in view.sweeps else None
        for key in coupled if spec is not None else ():
            keys.update(itertools.chain.from_iterable(spec.settings.get(key, {}).values()))
    return keys


_LOSS_KEYS: Final = ("model.name", "data.name", f"model.{LOSS}")


def _losses_of(view: View) -> str:
    """A sentence where the drawn groups are compared by their loss and minimise different losses; else empty."""
    drawn = view.runs["group"].isin([group.group for group in view.drawn]).to_numpy(dtype=bool)
    params = view.comparison.params.loc[drawn]
    columns = [params[key] if key in params else [None] * len(params) for key in _LOSS_KEYS]
    configurations = {tuple(v if isinstance(v, str) else "" for v in row) for row in zip(*columns, strict=True)}
    losses = (ours().loss_of(model, data, loss or AUTO) for model, data, loss in configurations)
    return losses_sentence(view.metric, losses)


def losses_of_sweep(sweep: str, metric: str) -> str:
    """A sentence where a sweep ranks by the loss configurations that minimise different losses; else empty.

    Args:
        sweep: The sweep's id.
        metric: What it ranks by.
    """
    spec = store.spec_of(sweep)
    if spec is None:
        return ""
    key, fixed = f"model.{LOSS}", spec.model.get(LOSS, AUTO)
    if key in spec.search:
        losses = list(spec.search[key].values or ())
    else:
        coupled = spec.setter(key)
        settings = spec.settings[coupled].values() if coupled else [{}]
        losses = [setting.get(key, fixed) for setting in settings]
    tried = itertools.product(spec.names("model"), spec.names("data"), map(str, losses))
    return losses_sentence(metric, itertools.starmap(ours().loss_of, tried))


def guard(view: View, place: Any = st) -> None:
    """Name, in red, what differs between the drawn groups beside what they are compared in.

    Where they minimise different losses and are compared by them, that is said in red too.

    Args:
        view: What is compared.
        place: Where the warning stands; what was meant to differ is asked here.
    """
    keys = view.comparison.differing
    if len(view.drawn) < 2 or not keys:
        return
    names = {group.group: f"“{group.label}”" if "," in group.label else group.label for group in view.drawn}
    owners = view.runs["group"].map(names).reset_index(drop=True)
    frame = view.comparison.params[keys].add_prefix("params.").assign(group=owners)[owners.notna()]
    configurations = configurations_of(frame, "group")
    rows = {name: configurations[name] for name in names.values() if name in configurations}
    meant = [key for key in view.comparison.meant if key in keys]
    varied = st.multiselect(
        "Compared in", keys, meant, key="varied", bind="query-params", placeholder="nothing was meant to differ",
        width=560,
        help="What was meant to differ. Anything else that does is named, since it may be the cause of what is seen.",
    )  # fmt: skip
    sentence = confound_sentence(confounds(rows, {*varied, *_set_by(view, varied)}), varied)
    if sentence:
        place.markdown(f":material/warning: :red[{ui.text(sentence, 900)}]")
    if sentence := _losses_of(view):
        place.markdown(f":material/warning: :red[{ui.text(sentence, 900)}]")


def grown(view: View) -> None:
    """Name the runs of others whose training loss grew: they may have diverged, and count as they are."""
    runs = view.comparison.runs
    strange = trained_elsewhere(runs[runs["counts"].astype(bool)], view.sweeps)
    metric = growth.training_loss(roles_of(view.comparison))
    if not metric or not 0 < len(strange) <= MOST_READ:
        return
    grew = set(growth.grown(store.histories(tuple(strange), metric)))
    if words := growth.sentence([name for run, name in strange.items() if run in grew], metric):
        st.caption(ui.text(words))


def about(view: View, groups: Sequence[Group]) -> str:
    """The words for what is compared: how many runs and groups, of which sweeps."""
    runs = view.runs[view.runs["counts"].astype(bool)]
    parents = [sweep for sweep in dict.fromkeys(runs["parent"]) if sweep in view.sweeps]
    of = " and ".join(ui.text(view.sweeps[sweep], 60) for sweep in parents[:3])
    of += f" and {len(parents) - 3} more" if len(parents) > 3 else ""
    words = [ui.count(len(runs), "run")]
    if not view.single:
        words.append(ui.count(len(groups), "group"))
    if view.comparison.left_out:
        many = ui.count(view.comparison.left_out, "run")
        words.append(f"without {many} that only {'sums' if view.comparison.left_out == 1 else 'sum'} up child runs")
    return ", ".join(words) + (f" of {of}" if of else "")
