"""What the runs of a sweep say about its claims, or its configurations: the verdicts of the pages, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.runs.claims import sweep_claims
from analysis.runs.ranking import sweep_ranking
from analysis.search.confirmed import confirmed_info, confirms, not_compared, sweep_standings
from sweeps.spec import Spec
from tracking.schema import ACTIVE

if TYPE_CHECKING:
    import pandas as pd

    from tracking.reader import Reader


def verdicts(reader: Reader, row: dict[str, Any], runs: pd.DataFrame, spec: Spec | None) -> list[dict[str, Any]]:
    """One verdict per claim; for a sweep that claims nothing and has ended, one about its configurations.

    Args:
        reader: The reader of the sweep's store.
        row: The sweep's row.
        runs: All its runs.
        spec: Its spec; None where that cannot be read.

    Returns:
        For each verdict: claim (its text, or nothing), status (or nothing), sentence.
    """
    if spec is not None and spec.claim:
        infos = sweep_claims(
            runs,
            spec.claim,
            list(spec.search),
            objective=row["metric"],
            histories=lambda run_ids, metric: reader.histories(run_ids, [metric]),
        )
        return [{"claim": info.text, "status": str(info.status), "sentence": info.sentence} for info in infos]
    if row["state"] in ACTIVE:
        return []
    searched = list(row["searched"])
    search = runs[~confirms(runs)] if len(runs) else runs
    winners = confirmed_info(runs, searched, metric=row["metric"], direction=row["direction"])
    groups = sweep_ranking(search, searched, row["direction"])
    standings = sweep_standings(search, groups, winners)
    sentence = not_compared(groups, winners) if standings is None else standings.sentence
    return [{"claim": "", "status": "", "sentence": sentence}] if sentence else []
