"""The command line: `sweepboard ...`, the same as `python -m sweeps ...`.

Results go to stdout, progress and faults to stderr; with `--json` stdout holds one JSON document and nothing else.
Exit codes: 0 done; 1 runs crashed, the sweep failed or was stopped, or the command could not be carried out; 2 bad
input. Nothing heavy is imported before a command needs it, so that `--help` answers at once, and nothing of
ours before the current directory is left (`sweeps.interpreter`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweeps import interpreter

if TYPE_CHECKING:
    from sweeps.cli.output import Row
    from sweeps.client import Client

DONE: Final = 0
NOT_DONE: Final = 1
BAD_INPUT: Final = 2


class BadInput(ValueError):
    """What was asked for does not exist or cannot be read; the message is a sentence for the user."""


def _uri(options: argparse.Namespace) -> str:
    from tracking.store import default_uri

    return str(getattr(options, "tracking_uri", None) or default_uri())


def _client(options: argparse.Namespace) -> Client:
    from sweeps.client import Client

    return Client(_uri(options))


def _answer(options: argparse.Namespace, document: Any, text: str) -> None:
    from tracking.legible import as_json, legible

    print(as_json(document, indent=1) if options.json else legible(text))


def _say(text: str) -> None:
    from tracking.legible import legible

    print(legible(text), file=sys.stderr, flush=True)


def _read(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: it is not text in UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); allowed: a YAML file, or - for stdin.") from None


def run(options: argparse.Namespace) -> int:
    """Launch the sweep of a YAML file; with --wait, stay until it ends."""
    from sweeps import search
    from sweeps.spec import check, to_yaml, yaml_text

    text = _read(options.spec)
    raw = yaml_text.read(text)
    if options.name is not None and isinstance(raw, dict):
        raw = {**raw, "name": options.name}
    spec = check(raw)
    client = _client(options)
    sweep = client.launch(to_yaml(spec) if options.name is not None else text)
    trials, runs = search.count(spec)
    document = {"sweep": sweep, "name": spec.name, "trials": trials, "runs": runs}
    launched = f"{spec.name} is queued as {sweep}: {search.count_text(spec)}."
    if not options.wait:
        _answer(options, document, launched)
        return DONE
    _say(launched)
    from sweeps.cli.wait import wait

    try:
        row = wait(client, sweep, _say)
    except KeyboardInterrupt:
        _say(f"\nThe sweep goes on without this terminal. To stop it: sweepboard stop {sweep}")
        raise
    from sweeps.cli import output as shown

    _answer(options, {**document, **shown.plain(row)}, shown.ending(row))
    return DONE if row["state"] == "finished" and not row["crashed"] else NOT_DONE


def check(options: argparse.Namespace) -> int:
    """What is wrong with the sweep of a YAML file, how long it will take and what it needs; nothing is launched."""
    from sweeps.cli import output as shown
    from sweeps.preflight import check as checking
    from sweeps.preflight.decidable import plan_of
    from sweeps.spec import parse

    written, client = _read(options.spec), _client(options)
    found = client.check(written) if client.status().alive else checking.check_here(written)
    if found["problems"]:
        for problem in found["problems"]:
            _say(problem)
        if options.json:
            _answer(options, found, "")
        return BAD_INPUT
    spec = parse(written)
    promised, plan = shown.promises(spec), plan_of(spec)
    decides = {"seeds": plan.seeds, "seeds_needed": plan.needed, "comparisons": plan.comparisons}
    text = "\n".join(filter(None, [checking.as_text(found), plan.sentence, *shown.promises_text(promised)]))
    _answer(options, {**found, **promised, "decides": decides}, text)
    return DONE


def list_sweeps(options: argparse.Namespace) -> int:
    """All sweeps of the store, newest first."""
    from sweeps.cli import output as shown

    rows = shown.sweep_rows(_uri(options))
    _answer(options, [shown.plain(row) for row in rows], shown.sweeps_table(rows))
    return DONE


def show(options: argparse.Namespace) -> int:
    """One sweep: how far it is, its best configurations, what happened."""
    from sweeps.cli import output as shown

    uri = _uri(options)
    detail = shown.detail(uri, _find(uri, options.sweep)["sweep"])
    _answer(options, detail, shown.detail_text(detail))
    return DONE


def _find(uri: str, wanted: str) -> Row:
    """The sweep with this id, beginning of an id, or name.

    Raises:
        BadInput: There is none, or more than one.
    """
    from sweeps.cli import output as shown
    from sweeps.fields import nearest
    from tracking.legible import one_line

    rows = shown.sweep_rows(uri)
    for found in (
        [row for row in rows if row["sweep"] == wanted],
        [row for row in rows if wanted in (row["name"], one_line(row["name"]))],
        [row for row in rows if wanted and row["sweep"].startswith(wanted)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(str(row["sweep"]) for row in found[:5])
            raise BadInput(f"sweep: {one_line(wanted)!r} fits {len(found)} sweeps; allowed: one of the ids {listed}.")
    names = [str(row["name"]) for row in rows]
    allowed = (
        f"an id, its beginning or a name, such as {one_line(names[0])}" if names else "none, as the store is empty"
    )
    raise BadInput(f"sweep: {one_line(wanted)!r} is not in this store; allowed: {allowed}{nearest(wanted, names)}")


def _steer(done: str) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        row = _find(_uri(options), options.sweep)
        warning = getattr(_client(options), options.command)(row["sweep"])
        return _commanded(options, {"sweep": row["sweep"], "name": row["name"]}, f"{row['name']} {done}.", warning)

    return command


def _commanded(options: argparse.Namespace, document: dict[str, Any], text: str, warning: str | None) -> int:
    if warning:
        _say(f"Note: {warning}.")
    _answer(options, {"command": options.command, **document, "warning": warning}, text)
    return DONE


def extend(options: argparse.Namespace) -> int:
    """Add trials or seeds to a sweep."""
    row = _find(_uri(options), options.sweep)
    warning = _client(options).extend(row["sweep"], trials=options.trials, seeds=options.seeds)
    more = [f"{n:,} more {word}" for n, word in ((options.trials, "trials"), (options.seeds, "seeds a trial")) if n]
    return _commanded(options, {"sweep": row["sweep"]}, f"{row['name']} gets {' and '.join(more)}.", warning)


def change(options: argparse.Namespace) -> int:
    """Give a sweep other workers or another pruner."""
    row = _find(_uri(options), options.sweep)
    warning = _client(options).change(row["sweep"], workers=options.workers, pruner=options.pruner)
    return _commanded(options, {"sweep": row["sweep"]}, f"{row['name']} is changed.", warning)


def delete(options: argparse.Namespace) -> int:
    """Hide a sweep with its runs, as MLflow does."""
    row = _find(_uri(options), options.sweep)
    warning = _client(options).delete([row["sweep"]])
    text = f"{row['name']} is deleted with its runs. To have it back: sweepboard restore {row['sweep']}"
    return _commanded(options, {"sweep": row["sweep"]}, text, warning)


def restore(options: argparse.Namespace) -> int:
    """Bring a deleted sweep back with its runs."""
    warning = _client(options).restore([options.sweep])
    return _commanded(options, {"sweep": options.sweep}, f"{options.sweep} is back.", warning)


def clean(options: argparse.Namespace) -> int:
    """Delete the weights, or all files, of a sweep's runs for good."""
    row = _find(_uri(options), options.sweep)
    freed = _client(options).clean(row["sweep"], options.what)
    text = f"{row['name']}: {freed / 1e6:,.1f} MB are free again."
    return _commanded(options, {"sweep": row["sweep"], "freed": freed}, text, None)


def stop(options: argparse.Namespace) -> int:
    """End the running runs of a sweep now and start no others; with --run, end one run alone."""
    if (options.run is None) == (options.sweep is None):
        raise BadInput("stop: give one of the two: a sweep, or --run and a run's id.")
    if options.run is None:
        return _steer("is being stopped: its running runs end now, what they measured is kept")(options)
    run_id = _find_run(_uri(options), options.run)
    warning = _client(options).stop_run(run_id)
    return _commanded(options, {"run": run_id}, f"Run {run_id} is being stopped.", warning)


def _find_run(uri: str, wanted: str) -> str:
    from sweeps.cli import output as shown
    from tracking.legible import one_line

    found = [run_id for run_id in shown.run_ids(uri) if wanted and run_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    how_many = f"fits {len(found)} runs" if found else "is no run of this store"
    raise BadInput(f"run: {one_line(wanted)!r} {how_many}; allowed: a run's id, or a beginning that only it has.")


def landscape(options: argparse.Namespace) -> int:
    """Compute the loss landscape of a run, and stay until it is stored with it; Ctrl-C gives it up."""
    import time

    from tracking import schema

    run_id, client = _find_run(_uri(options), options.run), _client(options)
    act, said = "again" if options.again else "ask", ""
    try:
        while (found := client.landscape(run_id, act))["state"] in ("queued", "computing", "storing"):
            act = "ask"  # once more, should the service have ended meanwhile
            doing = f"{found['doing'] or found['state']}, {found['share']:.0%}"
            if doing != said:
                _say(f"  {doing}")
            said = doing
            time.sleep(1)
    except KeyboardInterrupt:
        client.landscape(run_id, "stop")
        raise
    stored = found["state"] == "cached"
    text = f"Run {run_id} has its loss landscape in {schema.LANDSCAPE_FILE}."
    _answer(options, {"run": run_id, **found}, text if stored else found["problem"] or "It was given up.")
    return DONE if stored else NOT_DONE


def catalogue(options: argparse.Namespace) -> int:
    """The models, data sets, optimizers and schedules there are, with their fields."""
    from sweeps.catalogue import load
    from sweeps.catalogue.build import as_text, build
    from sweeps.catalogue.entries import FILE
    from sweeps.cli import output as shown

    if options.write:
        text = as_text(build())
        changed = not FILE.exists() or FILE.read_text(encoding="utf-8") != text
        FILE.write_text(text, encoding="utf-8")
        _answer(
            options,
            {"file": str(FILE), "changed": changed},
            f"{FILE.name} {'is rewritten' if changed else 'is up to date'}.",
        )
        return DONE
    from sweeps.catalogue.user_models import problems

    there, faults = load(), problems()
    for fault in faults:
        _say(fault)
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    stored["models"] = {name: entry.as_json() for name, entry in there.models.items()}
    stored |= {"problems": list(faults)} if faults else {}
    _answer(options, stored, shown.catalogue_text(there))
    return DONE


def service(options: argparse.Namespace) -> int:
    """Start the background service, or ask how it is, or end it."""
    if options.foreground:
        from sweeps.service.loop import serve

        return serve(_uri(options))
    from sweeps.cli import output as shown

    client = _client(options)
    if options.stop:
        alive = client.status().alive
        client.shutdown()
        _answer(options, {"alive": False}, "The service ends." if alive else "The service does not run.")
        return DONE
    if not options.status:
        client.start_service(wait=60)
    status = client.status()
    _answer(options, vars(status), shown.service_text(status))
    return DONE if status.alive or options.status else NOT_DONE


_EXAMPLES: Final = {
    "run": "sweepboard run labs/optimizers-on-digits.yaml --wait",
    "check": "sweepboard check labs/optimizers-on-digits.yaml",
    "list": "sweepboard list --json",
    "show": "sweepboard show optimizers-on-digits",
    "stop": "sweepboard stop 3f2a\n  sweepboard stop --run 5d1c0f4e",
    "pause": "sweepboard pause optimizers-on-digits",
    "resume": "sweepboard resume optimizers-on-digits",
    "retry": "sweepboard retry 3f2a",
    "extend": "sweepboard extend 3f2a --trials 20 --seeds 2",
    "change": "sweepboard change 3f2a --workers 4 --pruner median",
    "delete": "sweepboard delete 3f2a",
    "restore": "sweepboard restore 3f2ac11b8d9e4f0a9d5e7c6b1a2f3e4d",
    "clean": "sweepboard clean 3f2a weights",
    "landscape": "sweepboard landscape 5d1c0f4e",
    "catalogue": "sweepboard catalogue --write",
    "service": "sweepboard service --status",
}


_EXIT_CODES: Final = """\
  0  done
  1  runs crashed, the sweep failed or was stopped, or it could not be done
  2  bad input"""


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--tracking-uri", metavar="URI", default=argparse.SUPPRESS,
        help="the MLflow store (default: MLFLOW_TRACKING_URI, else mlflow.db beside the program)",
    )  # fmt: skip
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON on stdout")
    whole = argparse.ArgumentParser(
        prog="sweepboard", parents=[shared], formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Launch, watch and steer sweeps of neural networks.",
        epilog=f"exit codes:\n{_EXIT_CODES}\n\nexample:\n  {_EXAMPLES['run']}",
    )  # fmt: skip
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")

    def add(name: str, act: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        own = commands.add_parser(
            name, parents=[shared], help=text, description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example:\n  {_EXAMPLES[name]}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        own.set_defaults(act=act)
        return own

    launching = add("run", run, "launch the sweep of a YAML file")
    launching.add_argument("spec", metavar="SPEC.yaml", help="the sweep; - reads stdin")
    launching.add_argument("--name", help="call it so instead")
    launching.add_argument("--wait", action="store_true", help="stay until it ends, and show how far it is")
    checking = add("check", check, "say what is wrong with a sweep, how long it will take and what it needs")
    checking.add_argument("spec", metavar="SPEC.yaml", help="the sweep; - reads stdin")
    add("list", list_sweeps, "list all sweeps, newest first")
    add("show", show, "show one sweep: progress, best configurations, events")
    stopping = add("stop", stop, "end a sweep's running runs now and start no others; what was measured is kept")
    stopping.add_argument(
        "--run", metavar="RUN_ID", help="end this one run (its id or the beginning of it), and let the sweep go on"
    )
    steering = {
        "pause": ("let the running runs finish and start no others", "is being paused: its running runs finish"),
        "resume": ("go on with a paused or stopped sweep", "goes on"),
        "retry": ("train the crashed runs of a sweep again", "trains its crashed runs again"),
    }  # fmt: skip
    for name, (text, done) in steering.items():
        add(name, _steer(done), text)
    extending = add("extend", extend, "add trials, or seeds to each trial; a finished sweep goes on")
    extending.add_argument("--trials", type=int, default=0, metavar="N", help="how many more trials")
    extending.add_argument("--seeds", type=int, default=0, metavar="N", help="how many more runs of each trial")
    changing = add("change", change, "give a sweep another number of workers or another pruner")
    changing.add_argument("--workers", type=int, metavar="N", help="processes that train at one time")
    changing.add_argument("--pruner", metavar="NAME", help="none, median or hyperband")
    add("delete", delete, "delete a sweep with its runs; they are hidden and can be restored")
    restoring = add("restore", restore, "bring a deleted sweep back with its runs")
    restoring.add_argument("sweep", metavar="SWEEP_ID", help="its whole id")
    for name in ("show", "stop", "pause", "resume", "retry", "extend", "change", "delete"):
        commands.choices[name].add_argument(
            "sweep", metavar="SWEEP", nargs="?" if name == "stop" else None,
            help="its id, the beginning of its id, or its name",
        )  # fmt: skip
    cleaning = add("clean", clean, "delete files of a sweep's runs for good; what was measured stays")
    cleaning.add_argument("sweep", metavar="SWEEP", help="its id, the beginning of its id, or its name")
    cleaning.add_argument("what", choices=("weights", "artifacts"), help="the weights alone, or all files")
    drawing = add("landscape", landscape, "compute the loss landscape of a run, which is trained once more for it")
    drawing.add_argument("run", metavar="RUN_ID", help="its id, or the beginning of it")
    drawing.add_argument("--again", action="store_true", help="compute it anew where it is stored or has failed")
    listing = add("catalogue", catalogue, "list models, data sets, optimizers and schedules with their fields")
    listing.add_argument("--write", action="store_true", help="read the classes again and rewrite the catalogue's file")
    serving = add("service", service, "start the background service, ask how it is, or end it")
    how = serving.add_mutually_exclusive_group()
    how.add_argument("--foreground", action="store_true", help="be the service, in this terminal")
    how.add_argument("--stop", action="store_true", help="end it; what it was training is trained again later")
    how.add_argument("--status", action="store_true", help="say how it is and start nothing")
    return whole


def _refused(options: argparse.Namespace, error: BaseException, code: int) -> int:
    text = str(error) or type(error).__name__
    _say(text)
    if options.json:
        _answer(options, {"error": text}, text)
    return code


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: Its words; by default those of this process, which then imports nothing from the current directory.

    Returns:
        The exit code.
    """
    if arguments is None:
        interpreter.leave_current_directory()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    options = parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    try:
        code: int = options.act(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return 130
    except ValueError as error:  # SpecError, StoreError and our own: sentences for the user
        return _refused(options, error, BAD_INPUT)
    except Exception as error:
        if os.environ.get("SWEEPBOARD_DEBUG"):
            raise
        expected = isinstance(error, RuntimeError | OSError)
        named = error if expected else RuntimeError(f"{type(error).__name__}: {error}")
        return _refused(options, named, NOT_DONE)


if __name__ == "__main__":
    sys.exit(main())
