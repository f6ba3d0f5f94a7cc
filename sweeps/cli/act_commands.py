"""The commands that act: they launch, steer, change and delete sweeps, draw landscapes, and start the service.

Each takes the options of its command line and returns the exit code. It imports what it needs when it is called, so
that `sweepboard --help` answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sweeps.cli.lookup import find_run, find_sweep
from sweeps.cli.terminal import DONE, NOT_DONE, BadInput, answer, read_text, say, store_client, store_uri

if TYPE_CHECKING:
    from sweeps.cli.rows import Row


def run(options: argparse.Namespace) -> int:
    """Launch the sweep of a YAML file; with --wait, stay until it ends."""
    from sweeps import search
    from sweeps.spec import check, to_yaml, yaml_text

    text = read_text(options.spec)
    raw = yaml_text.read(text)
    if options.name is not None and isinstance(raw, dict):
        raw = {**raw, "name": options.name}
    spec = check(raw)
    client = store_client(options)
    sweep = client.launch(to_yaml(spec) if options.name is not None else text)
    trials, runs = search.count(spec)
    document = {"sweep": sweep, "name": spec.name, "trials": trials, "runs": runs}
    launched = f"{spec.name} is queued as {sweep}: {search.count_text(spec)}."
    if not options.wait:
        answer(options, document, launched)
        return DONE
    say(launched)
    from sweeps.cli import output, rows
    from sweeps.cli.wait import wait

    try:
        row = wait(client, sweep, say)
    except KeyboardInterrupt:
        say(f"\nThe sweep goes on without this terminal. To stop it: sweepboard stop {sweep}")
        raise
    answer(options, {**document, **rows.plain(row)}, output.ending(row))
    return DONE if row["state"] == "finished" and not row["crashed"] else NOT_DONE


def steer(effect: str) -> Callable[[argparse.Namespace], int]:
    """The command that calls the client's method of the same name on a sweep.

    Args:
        effect: What then happens to the sweep, for the answer `NAME EFFECT.`
    """

    def command(options: argparse.Namespace) -> int:
        row = _sweep(options)
        warning = getattr(store_client(options), options.command)(row["sweep"])
        return _commanded(options, {"sweep": row["sweep"], "name": row["name"]}, f"{row['name']} {effect}.", warning)

    return command


def _sweep(options: argparse.Namespace) -> Row:
    return find_sweep(store_uri(options), options.sweep)


def _commanded(options: argparse.Namespace, document: dict[str, Any], text: str, warning: str | None) -> int:
    if warning:
        say(f"Note: {warning}.")
    answer(options, {"command": options.command, **document, "warning": warning}, text)
    return DONE


def stop(options: argparse.Namespace) -> int:
    """End the running runs of a sweep now and start no others; with --run, end one run alone."""
    if (options.run is None) == (options.sweep is None):
        raise BadInput("stop: give one of the two: a sweep, or --run and a run's id.")
    if options.run is None:
        return steer("is being stopped: its running runs end now, what they measured is kept")(options)
    run_id = find_run(store_uri(options), options.run)
    warning = store_client(options).stop_run(run_id)
    return _commanded(options, {"run": run_id}, f"Run {run_id} is being stopped.", warning)


def extend(options: argparse.Namespace) -> int:
    """Add trials or seeds to a sweep."""
    row = _sweep(options)
    warning = store_client(options).extend(row["sweep"], trials=options.trials, seeds=options.seeds)
    more = [f"{n:,} more {word}" for n, word in ((options.trials, "trials"), (options.seeds, "seeds a trial")) if n]
    return _commanded(options, {"sweep": row["sweep"]}, f"{row['name']} gets {' and '.join(more)}.", warning)


def change(options: argparse.Namespace) -> int:
    """Give a sweep another number of workers or another pruner."""
    row = _sweep(options)
    warning = store_client(options).change(row["sweep"], workers=options.workers, pruner=options.pruner)
    return _commanded(options, {"sweep": row["sweep"]}, f"{row['name']} is changed.", warning)


def delete(options: argparse.Namespace) -> int:
    """Hide a sweep with its runs, as MLflow does."""
    row = _sweep(options)
    warning = store_client(options).delete([row["sweep"]])
    text = f"{row['name']} is deleted with its runs. To have it back: sweepboard restore {row['sweep']}"
    return _commanded(options, {"sweep": row["sweep"]}, text, warning)


def restore(options: argparse.Namespace) -> int:
    """Bring a deleted sweep back with its runs."""
    warning = store_client(options).restore([options.sweep])
    return _commanded(options, {"sweep": options.sweep}, f"{options.sweep} is back.", warning)


def clean(options: argparse.Namespace) -> int:
    """Delete the weights, or all files, of a sweep's runs for good."""
    row = _sweep(options)
    freed = store_client(options).clean(row["sweep"], options.what)
    text = f"{row['name']}: {freed / 1e6:,.1f} MB are free again."
    return _commanded(options, {"sweep": row["sweep"], "freed": freed}, text, None)


def landscape(options: argparse.Namespace) -> int:
    """Compute the loss landscape of a run, and stay until it is stored with it; Ctrl-C gives it up."""
    import time

    from tracking import schema

    run_id, client = find_run(store_uri(options), options.run), store_client(options)
    request, remark = "again" if options.again else "ask", ""
    try:
        while (status := client.landscape(run_id, request))["state"] in ("queued", "computing", "storing"):
            request = "ask"  # once more, should the service have ended meanwhile
            progress = f"{status['doing'] or status['state']}, {status['share']:.0%}"
            if progress != remark:
                say(f"  {progress}")
            remark = progress
            time.sleep(1)
    except KeyboardInterrupt:
        client.landscape(run_id, "stop")
        raise
    stored = status["state"] == "cached"
    text = f"Run {run_id} has its loss landscape in {schema.LANDSCAPE_FILE}."
    answer(options, {"run": run_id, **status}, text if stored else status["problem"] or "It was given up.")
    return DONE if stored else NOT_DONE


def service(options: argparse.Namespace) -> int:
    """Start the background service, or ask how it is, or end it."""
    if options.foreground:
        from sweeps.service.loop import serve

        return serve(store_uri(options))
    from sweeps.cli import output

    client = store_client(options)
    if options.stop:
        alive = client.status().alive
        client.shutdown()
        answer(options, {"alive": False}, "The service ends." if alive else "The service does not run.")
        return DONE
    if not options.status:
        client.start_service(wait=60)
    status = client.status()
    answer(options, vars(status), output.service_text(status))
    return DONE if status.alive or options.status else NOT_DONE
