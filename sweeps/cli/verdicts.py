"""What a sweep's runs say of its claims, or of its configurations: the verdicts of its pages, for the command line."""

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
    """One verdict per claim; of a sweep that claims nothing and is over, one on its configurations.

    Args:
        reader: Of the sweep's store.
        row: The sweep.
        runs: All its runs.
        spec: What it is; None where that cannot be read.

    Returns:
        For each: claim (its text, or nothing), status (or nothing), sentence.
    """
    if spec is not None and spec.claim:
        infos = sweep_claims(
            runs, spec.claim, list(spec.search), objective=row["metric"],
            histories=lambda run_ids, metric: reader.histories(run_ids, [metric]),
        )  # fmt: skip
        return [{"claim": info.text, "status": str(info.status), "sentence": info.sentence} for info in infos]
    if row["state"] in ACTIVE:
        return []
    searched = list(row["searched"])
    search = runs[~confirms(runs)] if len(runs) else runs
    winners = confirmed_info(runs, searched, metric=row["metric"], direction=row["direction"])
    groups = sweep_ranking(search, searched, row["direction"])
    found = sweep_standings(search, groups, winners)
    sentence = not_compared(groups, winners) if found is None else found.sentence
    return [{"claim": "", "status": "", "sentence": sentence}] if sentence else []
