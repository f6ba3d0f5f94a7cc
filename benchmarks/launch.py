"""Seconds from the launch to the first metric that can be read from the store, with the service warm and cold."""

from __future__ import annotations

import time

from benchmarks.measure import REPEATS, empty_store, median, write

SPEC = """
name: launch
model: {name: mlp, hidden_sizes: [64]}
data: {name: digits, batch_size: 64}
optimizer: {name: adam}
trainer: {max_epochs: 20}
search:
  optimizer.lr: {values: [0.001, 0.01]}
workers: 2
"""


def seconds_to_first_metric(uri: str) -> float:
    """Seconds from the launch, which starts a service if none runs, to the first value of val/loss."""
    from sweeps.client import Client
    from tracking.reader import open_reader

    client, reader = Client(uri), open_reader(uri)
    start = time.perf_counter()
    sweep = client.launch(SPEC)
    while True:
        runs = list(reader.runs(sweep=sweep)["run_id"])
        if runs and len(reader.histories(runs, ["val/loss"])):
            break
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    while reader.tags([sweep], ["state"])["value"].item() != "finished":
        time.sleep(0.05)
    return seconds


def main() -> None:
    from sweeps.client import Client

    cold, warm = [], []
    for _ in range(REPEATS):
        with empty_store() as uri:
            cold.append(seconds_to_first_metric(uri))
            client = Client(uri)
            while client.status().workers < 2:
                time.sleep(0.1)
            warm.append(seconds_to_first_metric(uri))
    write(
        "launch",
        {
            "what": "seconds from launch to the first val/loss that can be read from the store",
            "seconds_cold": [round(s, 2) for s in cold],
            "seconds_warm": [round(s, 2) for s in warm],
            "median_seconds_cold": median(cold),
            "median_seconds_warm": median(warm),
            "goal_seconds_warm": 2.0,
        },
    )


if __name__ == "__main__":
    main()
