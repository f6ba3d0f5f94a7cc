"""Server seconds of each figure of the pages on bias and variance, optimizers and regularization, with 500 runs.

The sweeps are really trained (a minute or two each). A page is run by Streamlit's own test runner, in one process and
without a browser: the clock measures all that the server does for one view. `first` is the first view of that figure in
a process, `after` the median of the views that follow, as when a reader changes a setting.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import REPEATS, empty_store, median, seconds_to_finish, write

APP = Path(__file__).parents[1] / "app" / "streamlit_app.py"
RUNS = 500
SPECS = {
    "bias_variance": """
name: replicates
model: {name: mlp, activation: tanh}
data: {name: noisy_curve, num_samples: 60, batch_size: 16}
trainer: {max_epochs: 8}
keep: none
search: {model.hidden_sizes: {values: [[1], [4], [16], [64], [256]]}}
replicate: {datasets: 25, inits: 4}
""",
    "optimizers": """
name: rates
model: {name: mlp, hidden_sizes: [16]}
data: {name: digits, train_size: 200}
trainer: {max_epochs: 8}
keep: none
search:
  optimizer.name: {values: [sgd, momentum, rmsprop, adam]}
  optimizer.lr: {low: 1.0e-4, high: 10.0, log: true, steps: 25}
seeds: 5
""",
    "regularization": """
name: strengths
model: {name: mlp, hidden_sizes: [32]}
data: {name: moons, num_samples: 200, label_noise: 0.2}
trainer: {max_epochs: 8}
keep: none
search:
  regularization.l2: {values: [0.0, 1.0e-4, 3.0e-4, 1.0e-3, 3.0e-3, 1.0e-2, 3.0e-2, 0.1, 0.3, 1.0]}
  model.dropout: {values: [0.0, 0.2, 0.4, 0.6, 0.8]}
seeds: 10
""",
}


def seconds_to_run(page: Any) -> float:
    start = time.perf_counter()
    page.run()
    assert not page.exception, page.exception
    return time.perf_counter() - start


def seconds_by_figure(name: str, sweep: str) -> dict[str, dict[str, float]]:
    """Figure -> seconds of its first view and of those after it."""
    from streamlit.testing.v1 import AppTest

    def new_page() -> Any:
        page = AppTest.from_file(str(APP), default_timeout=120).run()
        page.switch_page(f"views/{name}.py")
        page.query_params["sweep"] = sweep
        return page

    page, figures = new_page(), {}
    seconds_to_run(page)
    for tab in [tab.label for tab in page.tabs]:
        page = new_page()
        page.query_params["look"] = tab
        first, *after = [seconds_to_run(page) for _ in range(REPEATS + 1)]
        figures[tab] = {"first": round(first, 3), "after": median(after)}
        print(name, tab, figures[tab], flush=True)
    return figures


def main() -> None:
    from streamlit import config

    from tracking.reader import open_reader, sweeps

    config.set_option("server.address", "127.0.0.1")
    results = {}
    with empty_store() as uri:
        for name, spec in SPECS.items():
            seconds_to_finish(uri, spec)
            row = sweeps(open_reader(uri)).iloc[0]
            assert row["planned"] == RUNS, row["planned"]
            results[name] = seconds_by_figure(name, str(row["sweep"]))
    slowest = max(figure["after"] for page in results.values() for figure in page.values())
    write(
        "study_pages",
        {
            "what": "server seconds of one view of each figure over a sweep of 500 runs: the first, and the median of"
            " those after it",
            "runs": RUNS,
            "pages": results,
            "slowest_after": slowest,
            "goal": 1.0,
        },
    )


if __name__ == "__main__":
    main()
