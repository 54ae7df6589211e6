"""Rates by group with bootstrap intervals, by Fairlearn: what Assay's fairness report is compared with.

    python peer_groups.py FOLDER RESAMPLES

FOLDER is as peer.py reads it. For each protected column, one fairlearn.metrics.MetricFrame of selection rate, tpr and fpr with
that many resamples; without intervals when it is 0. Prints one JSON object: seconds on the clock and of the processors,
versions, and by column the rates of its groups as [value, low, high] and the largest differences and ratios likewise.

Rows are in memory and modules imported before the clock starts.
"""

import json
import sys
import time
from pathlib import Path

import fairlearn
import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

METRICS = {"selection_rate": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate}


def frame(y, predicted, groups, resamples, seed):
    bootstrap = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": seed} if resamples else {}
    return MetricFrame(metrics=METRICS, y_true=y, y_pred=predicted, sensitive_features=groups, **bootstrap)


def written(f, resamples):
    def with_ends(value, ends):
        return [float(value)] + [float(e) for e in ends]

    low, high = f.by_group_ci if resamples else (None, None)
    rates = {
        str(group): {m: with_ends(f.by_group.loc[group, m], [e.loc[group, m] for e in (low, high)] if resamples else []) for m in METRICS}
        for group in f.by_group.index
    }
    gaps = {}
    for name in ("difference", "ratio"):
        ends = getattr(f, name + "_ci")(method="between_groups") if resamples else []
        values = getattr(f, name)(method="between_groups")
        gaps[name] = {m: with_ends(values[m], [e[m] for e in ends]) for m in METRICS}
    return {"rates": rates, "gaps": gaps}


def main():
    folder, resamples = Path(sys.argv[1]), int(sys.argv[2])
    settings = json.loads((folder / "settings.json").read_text())
    y = np.load(folder / "y.npy").astype(np.int64)
    predicted = (np.load(folder / "score.npy") >= settings["threshold"]).astype(np.int64)
    columns = {c: pd.Series(np.array(names)[np.load(folder / f"{c}.npy")], name=c) for c, names in settings["groups"].items()}
    few = slice(0, 1000)
    frame(y[few], predicted[few], columns["sex"][few], min(resamples, 2), settings["seed"])

    begun, processor = time.perf_counter(), time.process_time()
    frames = {c: frame(y, predicted, groups, resamples, settings["seed"]) for c, groups in columns.items()}
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    json.dump({
        "seconds": seconds, "processor_seconds": processor,
        "versions": {"fairlearn": fairlearn.__version__, "pandas": pd.__version__},
        "columns": {c: written(f, resamples) for c, f in frames.items()},
    }, sys.stdout)


if __name__ == "__main__":
    main()
