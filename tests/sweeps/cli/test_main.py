"""The command line as a whole: help, exit codes, and how faults are said."""

import subprocess
import sys

import pytest

from sweeps import __main__ as cli
from sweeps.cli import parser
from sweeps.client import CommandError

COMMANDS = (
    "run",
    "check",
    "overfit",
    "list",
    "show",
    "stop",
    "pause",
    "resume",
    "retry",
    "landscape",
    "catalogue",
    "service",
)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert not end.value.code
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_takes_the_shared_options(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert f"example:\n  sweepboard {command}" in text and "--json" in text and "--tracking-uri" in text


def test_every_example_can_be_parsed():
    for example in parser.EXAMPLES.values():
        for line in example.splitlines():
            parser.parser().parse_args(line.split()[1:])


def test_no_command_or_an_unknown_one_is_bad_input(capsys):
    for arguments in ([], ["launch"], ["run"], ["service", "--stop", "--status"]):
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == cli.BAD_INPUT
    assert capsys.readouterr().out == ""


def test_a_refused_command_is_a_sentence(store, client, capsys):
    client.retry.side_effect = CommandError("retry: none of the sweep's runs has crashed")
    assert cli.main(["retry", "two-rates"]) == cli.NOT_DONE
    assert capsys.readouterr() == ("", "retry: none of the sweep's runs has crashed\n")


def test_no_traceback_reaches_the_user(client, spec_file, monkeypatch, capsys):
    client.launch.side_effect = KeyError("oops")
    assert cli.main(["run", spec_file]) == cli.NOT_DONE
    assert capsys.readouterr().err == "KeyError: 'oops'\n"
    monkeypatch.setenv("SWEEPBOARD_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.main(["run", spec_file])


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys; from sweeps.__main__ import main; sys.exit(main(['catalogue']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
