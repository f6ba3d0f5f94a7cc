"""The parser of the command line: the commands, their options and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from sweeps.cli import act_commands as act
from sweeps.cli import read_commands as read
from sweeps.cli.overfit_command import overfit

EXAMPLES: Final = {
    "run": "sweepboard run labs/optimizers-on-digits.yaml --wait",
    "check": "sweepboard check labs/optimizers-on-digits.yaml",
    "overfit": "sweepboard overfit labs/optimizers-on-digits.yaml",
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
  1  runs crashed, the sweep failed or was stopped, a model did not learn, or it could not be done
  2  bad input"""
_SWEEP: Final = "its id, the beginning of its id, or its name"

Command = Callable[[argparse.Namespace], int]
Add = Callable[[str, Command, str], argparse.ArgumentParser]
"""(name, what it does, its help) -> the command's own parser."""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has the command to call as `act`."""
    shared = _shared_options()
    whole = argparse.ArgumentParser(
        prog="sweepboard",
        parents=[shared],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Launch, watch and steer sweeps of neural networks.",
        epilog=f"exit codes:\n{_EXIT_CODES}\n\nexample:\n  {EXAMPLES['run']}",
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name,
            parents=[shared],
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example:\n  {EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(act=command)
        return parser

    # In this order `--help` lists them.
    _add_spec_commands(add)
    _add_looking(add)
    _add_steering(add)
    _add_changing(add)
    _add_deleting(add)
    _add_landscape(add)
    _add_catalogue(add)
    _add_service(add)
    return whole


def _shared_options() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--tracking-uri",
        metavar="URI",
        default=argparse.SUPPRESS,
        help="the MLflow store (default: MLFLOW_TRACKING_URI, else mlflow.db beside the program)",
    )
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON on stdout")
    return shared


def _add_spec_commands(add: Add) -> None:
    run = add("run", act.run, "launch the sweep of a YAML file")
    run.add_argument("spec", metavar="SPEC.yaml", help="the sweep; - reads stdin")
    run.add_argument("--name", help="call it so instead")
    run.add_argument("--wait", action="store_true", help="stay until it ends, and show how far it is")
    check = add("check", read.check, "say what is wrong with a sweep, how long it will take and what it needs")
    check.add_argument("spec", metavar="SPEC.yaml", help="the sweep; - reads stdin")
    ten = add(
        "overfit", overfit, "train on ten examples: say whether the code can learn them by heart, or what is broken"
    )
    ten.add_argument("spec", metavar="SPEC.yaml", help="the sweep; - reads stdin")


def _add_looking(add: Add) -> None:
    add("list", read.list_sweeps, "list all sweeps, newest first")
    show = add("show", read.show, "show one sweep: progress, best configurations, events")
    show.add_argument("sweep", metavar="SWEEP", help=_SWEEP)


def _add_steering(add: Add) -> None:
    stop = add("stop", act.stop, "end a sweep's running runs now and start no others; what was measured is kept")
    stop.add_argument(
        "--run", metavar="RUN_ID", help="end this one run (its id or the beginning of it), and let the sweep go on"
    )
    stop.add_argument("sweep", metavar="SWEEP", nargs="?", help=_SWEEP)
    steering = {
        "pause": ("let the running runs finish and start no others", "is being paused: its running runs finish"),
        "resume": ("go on with a paused or stopped sweep", "goes on"),
        "retry": ("train the crashed runs of a sweep again", "trains its crashed runs again"),
    }
    for name, (text, effect) in steering.items():
        add(name, act.steer(effect), text).add_argument("sweep", metavar="SWEEP", help=_SWEEP)


def _add_changing(add: Add) -> None:
    extend = add("extend", act.extend, "add trials, or seeds to each trial; a finished sweep goes on")
    extend.add_argument("sweep", metavar="SWEEP", help=_SWEEP)
    extend.add_argument("--trials", type=int, default=0, metavar="N", help="how many more trials")
    extend.add_argument("--seeds", type=int, default=0, metavar="N", help="how many more runs of each trial")
    change = add("change", act.change, "give a sweep another number of workers or another pruner")
    change.add_argument("sweep", metavar="SWEEP", help=_SWEEP)
    change.add_argument("--workers", type=int, metavar="N", help="processes that train at one time")
    change.add_argument("--pruner", metavar="NAME", help="none, median or hyperband")


def _add_deleting(add: Add) -> None:
    delete = add("delete", act.delete, "delete a sweep with its runs; they are hidden and can be restored")
    delete.add_argument("sweep", metavar="SWEEP", help=_SWEEP)
    restore = add("restore", act.restore, "bring a deleted sweep back with its runs")
    restore.add_argument("sweep", metavar="SWEEP_ID", help="its whole id")
    clean = add("clean", act.clean, "delete files of a sweep's runs for good; what was measured stays")
    clean.add_argument("sweep", metavar="SWEEP", help=_SWEEP)
    clean.add_argument("what", choices=("weights", "artifacts"), help="the weights alone, or all files")


def _add_landscape(add: Add) -> None:
    landscape = add(
        "landscape", act.landscape, "compute the loss landscape of a run, which is trained once more for it"
    )
    landscape.add_argument("run", metavar="RUN_ID", help="its id, or the beginning of it")
    landscape.add_argument("--again", action="store_true", help="compute it anew where it is stored or has failed")


def _add_catalogue(add: Add) -> None:
    catalogue = add("catalogue", read.catalogue, "list models, data sets, optimizers and schedules with their fields")
    catalogue.add_argument(
        "--write",
        action="store_true",
        help="read the classes again and rewrite the catalogue's file and docs/architectures.md",
    )


def _add_service(add: Add) -> None:
    service = add("service", act.service, "start the background service, ask how it is, or end it")
    actions = service.add_mutually_exclusive_group()
    actions.add_argument("--foreground", action="store_true", help="be the service, in this terminal")
    actions.add_argument("--stop", action="store_true", help="end it; what it was training is trained again later")
    actions.add_argument("--status", action="store_true", help="say how it is and start nothing")
