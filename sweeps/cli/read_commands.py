"""The commands that only read: check, list, show, catalogue. (`catalogue --write` rewrites the catalogue's own file.)

Each takes the options of its command line and returns the exit code. It imports what it needs when it is called, so
that `sweepboard --help` answers at once.
"""

from __future__ import annotations

import argparse
import json

from sweeps.cli.lookup import find_sweep
from sweeps.cli.terminal import BAD_INPUT, DONE, answer, read_text, say, store_client, store_uri


def check(options: argparse.Namespace) -> int:
    """Say what is wrong with the sweep of a YAML file, how long it will take and what it needs."""
    from sweeps.cli import output, rows
    from sweeps.preflight import check as preflight
    from sweeps.preflight.decidable import plan_of
    from sweeps.spec import parse

    text, client = read_text(options.spec), store_client(options)
    report = client.check(text) if client.status().alive else preflight.check_here(text)
    if report["problems"]:
        for problem in report["problems"]:
            say(problem)
        if options.json:
            answer(options, report, "")
        return BAD_INPUT
    spec = parse(text)
    promises, plan = rows.promises(spec), plan_of(spec)
    decides = {"seeds": plan.seeds, "seeds_needed": plan.needed, "comparisons": plan.comparisons}
    lines = [preflight.as_text(report), plan.sentence, *output.promises_text(promises)]
    answer(options, {**report, **promises, "decides": decides}, "\n".join(filter(None, lines)))
    return DONE


def list_sweeps(options: argparse.Namespace) -> int:
    """List all sweeps of the store, newest first."""
    from sweeps.cli import output, rows

    sweeps = rows.sweep_rows(store_uri(options))
    answer(options, [rows.plain(row) for row in sweeps], output.sweeps_table(sweeps))
    return DONE


def show(options: argparse.Namespace) -> int:
    """Show one sweep: how far it is, its best configurations, what happened."""
    from sweeps.cli import output, rows

    uri = store_uri(options)
    detail = rows.detail(uri, find_sweep(uri, options.sweep)["sweep"])
    answer(options, detail, output.detail_text(detail))
    return DONE


def catalogue(options: argparse.Namespace) -> int:
    """List the models, data sets, optimizers and schedules there are, with their fields."""
    if options.write:
        return _write_catalogue(options)
    from sweeps.catalogue import load
    from sweeps.catalogue.entries import FILE
    from sweeps.catalogue.user_models import problems
    from sweeps.cli import output

    current, faults = load(), problems()
    for fault in faults:
        say(fault)
    document = json.loads(FILE.read_text(encoding="utf-8"))
    document["models"] = {name: entry.as_json() for name, entry in current.models.items()}
    document |= {"problems": list(faults)} if faults else {}
    answer(options, document, output.catalogue_text(current))
    return DONE


def _write_catalogue(options: argparse.Namespace) -> int:
    from sweeps.catalogue import architectures
    from sweeps.catalogue.build import as_text, build
    from sweeps.catalogue.entries import FILE
    from sweeps.training.recorders import RECORDERS

    built = build(RECORDERS)
    texts = {FILE: as_text(built)}
    if architectures.FILE.parent.is_dir():  # an installed package has no docs
        texts[architectures.FILE] = architectures.page(built)
    changed = {file: not file.exists() or file.read_text(encoding="utf-8") != text for file, text in texts.items()}
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    sentences = [f"{file.name} {'is rewritten' if new else 'is up to date'}." for file, new in changed.items()]
    document = {"file": str(FILE), "changed": changed[FILE], "files": {str(file): new for file, new in changed.items()}}
    answer(options, document, " ".join(sentences))
    return DONE
