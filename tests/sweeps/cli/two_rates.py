"""A small sweep, what a check finds in it, its row, and what a client was told."""

SPEC = """
name: two-rates
question: Which rate?
model: {name: mlp}
data: {name: iris}
search: {optimizer.lr: {values: [0.1, 0.01]}}
seeds: 2
"""

FOUND = {
    "trials": 2, "runs": 4, "workers": 2, "seconds": 125.0, "low": 90.0, "high": 181.0, "at_most": False,
    "disk_bytes": 2_100_000, "memory_bytes": 90e6, "problems": [], "warnings": ["It is late."], "pending": False,
    "architectures": [{"what": "mlp on iris", "parameters": 1234, "seconds_per_epoch": 0.01234}],
}  # fmt: skip


def requests_of(client):
    """What a client was told to do: names and arguments, in their order."""
    return [(name, *arguments) for name, arguments, _ in client.mock_calls if name != "status"]


def row(**changes):
    counts = dict.fromkeys(("ok", "diverged", "pruned", "stopped", "crashed", "running", "done"), 0)
    base = {"name": "s", "state": "running", "planned": 4, "metric": "val/loss", "best": float("nan"), "best_name": ""}
    return {"sweep": "abc123", **base, **counts, **changes}
