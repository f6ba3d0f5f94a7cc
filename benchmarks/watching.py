"""The cost of watching: a lab's seconds from launch to end, alone and with its page open in a real Chromium.

The browser draws on the same cores that train, without a graphics card, which is the worst case. `lean` is a dashboard
without Streamlit's full garbage collection after every run of a page and without its watch over the file of every
module: together they gained nothing that could be measured, so that Streamlit's defaults stay.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import REPEATS, empty_store, median, seconds_to_finish, write
from benchmarks.opening import ROOT, serve

LAB = Path(__file__).parents[1] / "labs" / "training-set-size.yaml"
SETTINGS = {"watched": (), "lean": ("--runner.postScriptGC", "false", "--server.fileWatcherType", "none")}


def seconds_watched(uri: str, browser: Any, settings: tuple[str, ...]) -> float:
    """Seconds of the lab while a dashboard with these settings shows its page."""
    process, url = serve("run", str(ROOT / "app"), *settings)
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    try:
        page.goto(url)
        page.wait_for_selector("h1")
        return seconds_to_finish(uri, LAB.read_text(), lambda sweep: page.goto(f"{url}/sweep?sweep={sweep}"))
    finally:
        page.close()
        process.kill()
        process.wait()


def main() -> None:
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from install import find

    alone: list[float] = []
    watched: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with empty_store() as uri, sync_playwright() as playwright:
        seconds_to_finish(uri, LAB.read_text())  # the service and its workers are warm from here on
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox", "--disable-gpu"])
        for _ in range(REPEATS):
            alone.append(seconds_to_finish(uri, LAB.read_text()))
            for name, settings in SETTINGS.items():
                watched[name].append(seconds_watched(uri, browser, settings))
        browser.close()
    result: dict[str, Any] = {"what": f"seconds of {LAB.stem} from launch to end", "alone": median(alone)}
    for name, seconds in watched.items():
        result[name] = {"seconds": median(seconds), "ratio": round(median(seconds) / median(alone), 2)}
    write("watching", result)


if __name__ == "__main__":
    main()
