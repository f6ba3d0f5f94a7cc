"""Launch a sweep: what to try, on what, how; the equivalent YAML beside it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.launch import claim, confirm, form, overfit, preflight, replicate, state
from app.shared import service_line, store, ui
from sweeps import search as searches
from sweeps import spec as specs
from sweeps.catalogue import user_models
from sweeps.preflight.decidable import plan_of
from tracking.legible import legible


def load(text: str) -> None:
    """Fill the form from YAML, or keep it and say why not."""
    try:
        state.load_text(text)
        st.session_state["_form_problems"] = ()
    except specs.SpecError as error:
        st.session_state["_form_problems"] = error.problems


def from_url() -> None:
    """`?copy=SWEEP` or `?lab=NAME` fills the form, once each time that it is asked for."""
    requested = (st.query_params.get("copy"), st.query_params.get("lab"))
    if requested == (None, None) or st.session_state.get("_form_from") == requested:
        return
    st.session_state["_form_from"] = requested
    sweep, lab = requested
    if sweep is None:
        labs = store.labs()
        if lab in labs:
            load(labs[lab]["text"])
        else:
            st.session_state["_form_problems"] = (f"There is no lab {lab}; there are {', '.join(labs) or 'none'}.",)
    elif store.sweep(sweep) is None:
        st.session_state["_form_problems"] = (f"There is no sweep {sweep} in this store to copy.",)
    else:
        load(store.spec_text(sweep))


def starts() -> None:
    """Draw the other beginnings: a lab, an earlier sweep, YAML."""
    labs, frame = store.labs(), store.sweeps()
    earlier = {row["sweep"]: row for row in frame.head(30).to_dict("records")} if len(frame) else {}

    def name_of(choice: tuple[str, str]) -> str:
        kind, which = choice
        if kind == "lab":
            return f"Lab: {labs[which]['name']}" if which in labs else which
        return (
            f"Copy of {earlier[which]['name']}, {ui.moment(earlier[which]['created'])}" if which in earlier else which
        )

    def start() -> None:
        kind, which = st.session_state["_start_from"] or ("", "")
        if kind == "lab":
            load(labs[which]["text"])
        elif kind == "sweep":
            load(store.spec_text(which))
        st.session_state["_start_from"] = None

    def pasted() -> None:
        upload = st.session_state.get("_upload")
        load(upload.getvalue().decode("utf-8", "replace") if upload else st.session_state.get("_pasted") or "")

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.selectbox(
            "Start from", [("lab", name) for name in labs] + [("sweep", name) for name in earlier], index=None,
            format_func=name_of, key="_start_from", on_change=start, placeholder="Start from a lab or an earlier sweep",
            label_visibility="collapsed", width=340,
        )  # fmt: skip
        with st.popover("Paste or upload YAML", icon=":material/content_paste:"):
            st.text_area("A sweep in YAML", key="_pasted", height=220, placeholder="name: ...\nmodel: {name: mlp}\n...")
            st.file_uploader("or a file", type=["yaml", "yml"], key="_upload")
            st.button("Use it", key="_use_yaml", on_click=pasted, type="primary")
    for problem in st.session_state.get("_form_problems", ()):
        st.error(ui.text(problem))
    for problem in user_models.problems():
        st.caption(f":material/extension_off: {ui.text(problem)}")


def vary() -> dict[str, object]:
    """Draw what a seed changes; returns `vary` where that is not everything."""
    chosen = st.multiselect(
        "A seed changes", specs.SEED_KINDS, state.base().get("vary", list(specs.SEED_KINDS)), key=state.key("vary"),
        help="What differs between the runs of a trial: the data drawn, the initial weights, the order of batches.",
        persist_state="session",
    )  # fmt: skip
    return {} if set(chosen) == set(specs.SEED_KINDS) else {"vary": chosen}


def left() -> tuple[dict[str, object], DeltaGenerator]:
    """Draw the form; returns what it says as plain data, and the place for what its seeds can decide."""
    scalars: dict[str, object] = {}
    name, question = st.columns([1, 2])
    with name:
        scalars["name"] = form.scalar("name")
    with question:
        scalars["question"] = form.scalar("question")
    claim.claims()

    st.subheader("Values to try")
    catalogue = form.catalogue()
    axes = form.search(catalogue)

    def add() -> None:
        state.vary(st.session_state[state.key("add")])
        st.session_state[state.key("add")] = None

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Vary another setting", form.searchable(catalogue), index=None, key=state.key("add"), on_change=add,
            placeholder="Vary another setting", label_visibility="collapsed", width=260,
        )  # fmt: skip
    settings = st.container()
    replicated = replicate.replicate()
    with settings, st.grid("auto", min_column_width=120, gap=("small", "medium")):
        if not replicated:
            scalars["seeds"] = form.scalar("seeds")
        scalars["sampler"] = form.scalar("sampler")
        if scalars["sampler"] != "grid":
            scalars["trials"] = form.scalar("trials", default=min(20, form.combinations(axes) or 20))
        if not replicated:
            scalars["pruner"] = form.scalar("pruner")
        scalars["workers"] = form.scalar("workers")
    beside_seeds = settings.empty()
    scalars |= replicated or confirm.confirm(axes)

    parts: dict[str, dict[str, object]] = {}
    for part in ("data", "model", "optimizer", "trainer"):
        st.subheader(form.TITLES[part])
        parts[part] = form.section(catalogue, part)
        if part == "model":
            left_out = form.not_offered(catalogue)
            if left_out:
                st.caption(left_out)
    for part in ("schedule", "regularization"):
        with st.expander(form.TITLES[part]):
            parts[part] = form.section(catalogue, part)
    with st.expander("Ranking, seeds and storage"):
        with st.grid("auto", min_column_width=190, gap=("small", "medium")):
            scalars |= form.objective(catalogue)
            claim.drop_first_where_more_is_better(scalars["objective.direction"])
            for setting in ("seed", "keep", "experiment"):
                scalars[setting] = form.scalar(setting)
        st.caption("What each run records for its pages")
        with st.grid("auto", min_column_width=150, gap=("small", "medium")):
            parts["record"] = form.record(catalogue)
        if not replicated:
            scalars |= vary()
    order = ("model", "data", "optimizer", "schedule", "regularization", "trainer", "record")
    return form.assemble({part: parts[part] for part in order}, axes, scalars), beside_seeds


def launch(text: str, problems: tuple[str, ...], words: str) -> None:
    """Draw the bar that is always in sight: what is to be mended, how many runs the sweep makes, the button."""
    with st.bottom:
        for problem in problems:
            st.error(ui.text(problem))
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
            claim.misfit(problems)
            if problems:
                st.markdown(f"**{ui.count(len(problems), 'thing')} to mend**", width="content")
            else:
                st.markdown(words, width="content")
            pressed = st.button("Launch", type="primary", icon=":material/play_arrow:", disabled=bool(problems))
        if pressed and not problems:
            service_line.launch(text)


def runs_of(spec: specs.Spec) -> str:
    """How many runs the sweep makes, in Markdown: at most so many where some are pruned."""
    trials, runs = searches.count(spec)
    most = "up to " if spec.pruner != "none" else ""
    fresh = searches.confirm_runs(spec, trials)
    confirming = f" + {fresh:,} to confirm" if fresh else ""
    repeats = specs.repeats(spec, "×") if spec.replicate else ui.count(spec.seeds, "seed")
    sum_ = f"{ui.count(trials, 'configuration')} × {repeats}{confirming}"
    return f"{most}**{ui.count(runs, 'run')}** = {sum_}"


def right(raw: dict[str, object], beside_seeds: DeltaGenerator) -> None:
    """Draw the equivalent YAML, the bar with the button, and beside the seeds whether they can decide."""
    text, problems, words = form.yaml_of(raw), (), ""
    try:
        checked = specs.check(raw)
        text, words = specs.to_yaml(checked), runs_of(checked)
        beside_seeds.caption(ui.text(plan_of(checked).sentence))
    except specs.SpecError as error:
        problems = error.problems
        claim.drop_first(problems)
    launch(text, problems, words)
    preflight.panel(text, problems)
    overfit.panel(text, problems)
    st.code(legible(text), language="yaml", wrap_lines=True)
    with st.container(horizontal=True):
        st.download_button("Download YAML", text, f"{checked_name(raw)}.yaml", "text/yaml", icon=":material/download:")
        st.button("Start over", on_click=state.reset, type="tertiary")


def checked_name(raw: dict[str, object]) -> str:
    """The sweep's name as a file name."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in str(raw.get("name") or ""))
    return name.strip("-")[:60] or "sweep"


st.title("New sweep")
if user_models.pending():
    with st.spinner("Reading your modules"):
        user_models.problems()
from_url()
starts()
form_column, aside = st.columns([13, 7], gap="large")
with form_column:
    raw, beside_seeds = left()
with aside, st.container(key="aside"):
    right(raw, beside_seeds)
