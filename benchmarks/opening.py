"""Seconds from the request to the page: our Overview on a store with sweeps in it, against `streamlit hello`.

A real Chromium opens both in turn, in a fresh browser context, and the clock stops when the first heading of the page
is there and Streamlit runs no script any more. `streamlit hello` is the smallest page that Streamlit ships. The first
session after a start of the server is reported apart from the later ones: in it, both import what they need.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.measure import REPEATS, empty_store, median, write

ROOT = Path(__file__).resolve().parents[1]
SPEC = "name: {}\nmodel: {{name: softmax_regression}}\ndata: {{name: iris}}\ntrainer: {{max_epochs: 2}}\n"
STILL = """() => document.querySelector('[data-testid=stMain] h1') &&
 !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-test-script-state=running]')"""


def serve(*command: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start `streamlit COMMAND`; returns the process and its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.address", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", *command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return process, url
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)


def seconds_to_open(browser: Any, url: str) -> float:
    """Seconds until the page stands still, in a fresh browser context."""
    context = browser.new_context()
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_function(STILL, timeout=60_000)
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    from playwright.sync_api import sync_playwright

    from sweeps.client import Client

    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from install import find

    first: dict[str, list[float]] = {"ours": [], "hello": []}
    later: dict[str, list[float]] = {"ours": [], "hello": []}
    commands = {"ours": ("run", str(ROOT / "app")), "hello": ("hello",)}
    with empty_store() as uri, sync_playwright() as playwright:
        client = Client(uri)
        for number in range(5):
            client.launch(SPEC.format(f"sweep-{number}"))
        while client.status().active:
            time.sleep(0.2)
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"
        for _ in range(REPEATS):
            for name, command in commands.items():
                process, url = serve(*command)
                first[name].append(seconds_to_open(browser, url))
                later[name] += [seconds_to_open(browser, url) for _ in range(3)]
                process.kill()
                process.wait()
        browser.close()
    result: dict[str, Any] = {"what": "seconds until the page stands still, Overview against streamlit hello"}
    for label, seconds in (("first_session", first), ("later_sessions", later)):
        ours, hello = median(seconds["ours"]), median(seconds["hello"])
        result[label] = {"ours": ours, "hello": hello, "ratio": round(ours / hello, 2)}
    write("opening", {**result, "goal_ratio": 1.5})


if __name__ == "__main__":
    main()
