"""Metrics with 95 % intervals over slices, with scikit-learn and SciPy: what Assay's evaluation is compared with.

    python peer.py FOLDER WAY PROCESSES

FOLDER holds y.npy (0 or 1), score.npy, one <column>.npy of group codes for each protected column, and settings.json. It
prints one JSON object: seconds on the clock and of the processors, versions, and for every set of rows the metrics as [value, low, high].

WAY is how it is written:

formulas     scikit-learn's metrics on each set of rows; intervals by formula: Wilson, DeLong, Student, Newcombe; f1, mcc and
             ece without an interval
bootstrap    the same, and a percentile interval of f1, mcc and ece from one vectorised scipy.stats.bootstrap for the three
counts       NumPy by hand, none of scikit-learn's checks: rows counted once, resamples drawn as counts of rows alike, which is
             what Assay does above 50,000 rows

Rows are in memory, modules imported and worker processes started before the clock starts.
"""

import json
import math
import sys
import time
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import joblib
import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics as sk

BINS = 10
FINER = 4  # cells of scores within a bin, for resamples by counts
Z = stats.norm.ppf(0.975)


@lru_cache
def load(folder):
    settings = json.loads((Path(folder) / "settings.json").read_text())
    y, score = (np.load(Path(folder) / f"{name}.npy") for name in ("y", "score"))
    groups = {column: np.load(Path(folder) / f"{column}.npy") for column in settings["groups"]}
    return settings, y, score, groups


def sets_of_rows(settings, groups):
    """All rows, every group of a column, and every pair of groups of two columns that has min_group rows."""
    sets = [()]
    for column, names in settings["groups"].items():
        sets += [((column, code),) for code in range(len(names))]
    for first, second in combinations(settings["groups"], 2):
        width = len(settings["groups"][second])
        rows = np.bincount(groups[first].astype(np.int64) * width + groups[second], minlength=len(settings["groups"][first]) * width)
        sets += [((first, k // width), (second, k % width)) for k in range(len(rows)) if rows[k] >= settings["min_group"]]
    return sets


def wilson(successes, n):
    if n == 0:
        return None
    p = successes / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return [p, max(centre - half, 0.0), min(centre + half, 1.0)]


def student(values, low, high):
    n = len(values)
    mean = values.mean()
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return [mean, max(mean - half, low), min(mean + half, high)]


def delong(y, score):
    """AUC and its interval by DeLong, DeLong and Clarke-Pearson (1988), from mid-ranks after Sun and Xu (2014)."""
    positive, negative = score[y == 1], score[y == 0]
    m, n = len(positive), len(negative)
    if m == 0 or n == 0:
        return None
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (ranks[:m] - stats.rankdata(positive)) / n
    v01 = 1 - (ranks[m:] - stats.rankdata(negative)) / m
    auc = v10.mean()
    half = Z * math.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n)
    return [auc, max(auc - half, 0.0), min(auc + half, 1.0)]


def newcombe(recall, fpr):
    """Balanced accuracy: the interval of recall - fpr, by square-and-add, moved."""
    if recall is None or fpr is None:
        return None
    d = recall[0] - fpr[0]
    low = d - math.hypot(recall[0] - recall[1], fpr[2] - fpr[0])
    high = d + math.hypot(recall[2] - recall[0], fpr[0] - fpr[1])
    return [(1 + d) / 2, (1 + low) / 2, (1 + high) / 2]


def f1_of(tp, fp, fn):
    return 2 * tp / (2 * tp + fp + fn)


def mcc_of(tn, fp, fn, tp):
    return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def bins_of(score):
    return np.minimum((score * BINS).astype(np.int64), BINS - 1)


def ece_of(y, score):
    return np.abs(np.bincount(bins_of(score), weights=y - score, minlength=BINS)).sum() / len(y)


def of_counts(tn, fp, fn, tp):
    """The metrics that are shares, from the confusion matrix."""
    n, positives, negatives = tn + fp + fn + tp, tp + fn, tn + fp
    out = {
        "accuracy": wilson(tp + tn, n), "precision": wilson(tp, tp + fp), "recall": wilson(tp, positives),
        "specificity": wilson(tn, negatives), "selection_rate": wilson(tp + fp, n), "base_rate": wilson(positives, n),
        "fpr": wilson(fp, negatives), "fnr": wilson(fn, positives),
    }
    out["balanced_accuracy"] = newcombe(out["recall"], out["fpr"])
    return out


def by_scikit_learn(y, score, predicted):
    """Points by scikit-learn, intervals by formula."""
    tn, fp, fn, tp = (int(k) for k in sk.confusion_matrix(y, predicted, labels=[0, 1]).ravel())
    out = of_counts(tn, fp, fn, tp)
    out["auc"] = delong(y, score)
    clipped = np.clip(score, 1e-15, 1 - 1e-15)
    out["log_loss"] = student(-np.where(y == 1, np.log(clipped), np.log1p(-clipped)), 0.0, math.inf)
    out["brier"] = student((score - y) ** 2, 0.0, 1.0)
    points = {
        "accuracy": sk.accuracy_score(y, predicted), "precision": sk.precision_score(y, predicted), "recall": sk.recall_score(y, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, predicted), "auc": sk.roc_auc_score(y, score),
        "log_loss": sk.log_loss(y, score, labels=[0, 1]), "brier": sk.brier_score_loss(y, score),
    }
    for name, value in points.items():
        if out[name] is not None:
            out[name][0] = value
    out["f1"] = [sk.f1_score(y, predicted)]
    out["mcc"] = [sk.matthews_corrcoef(y, predicted)]
    out["ece"] = [ece_of(y, score)]
    return out


def bootstrapped(out, y, score, predicted, settings):
    """Intervals of f1, mcc and ece from the same resamples, many at a time."""
    cell, bucket, excess = 2 * y.astype(np.int8) + predicted, bins_of(score).astype(np.int8), y - score

    def statistic(cell, bucket, excess, axis):
        cell, bucket, excess = (np.atleast_2d(a) for a in (cell, bucket, excess))
        samples, n = cell.shape
        row = np.arange(samples)[:, None]
        tn, fp, fn, tp = np.bincount((cell + 4 * row).ravel(), minlength=4 * samples).reshape(samples, 4).T.astype(float)
        sums = np.bincount((bucket + BINS * row).ravel(), weights=excess.ravel(), minlength=BINS * samples).reshape(samples, BINS)
        return np.stack([f1_of(tp, fp, fn), mcc_of(tn, fp, fn, tp), np.abs(sums).sum(axis=1) / n])

    batch = max(1, min(settings["replicates"], 2_000_000 // len(y)))
    interval = stats.bootstrap(
        (cell, bucket, excess), statistic, paired=True, vectorized=True, method="percentile",
        n_resamples=settings["replicates"], batch=batch, rng=np.random.default_rng(settings["seed"]),
    ).confidence_interval
    for k, name in enumerate(("f1", "mcc", "ece")):
        out[name] += [float(interval.low[k]), float(interval.high[k])]


def by_counts(y, score, predicted, settings):
    """Everything by hand."""
    n = len(y)
    cells = np.bincount(2 * y.astype(np.int8) + predicted, minlength=4)
    tn, fp, fn, tp = (int(k) for k in cells)
    out = of_counts(tn, fp, fn, tp)
    out["auc"] = delong(y, score)
    right = np.where(y == 1, score, 1 - score)
    out["log_loss"] = student(-np.log(np.clip(right, 1e-15, 1 - 1e-15)), 0.0, math.inf)
    out["brier"] = student((1 - right) ** 2, 0.0, 1.0)

    rng = np.random.default_rng(settings["seed"])
    drawn = rng.multinomial(n, cells / n, size=settings["replicates"]).T.astype(float)
    samples = {"f1": f1_of(drawn[3], drawn[1], drawn[2]), "mcc": mcc_of(*drawn)}
    out["f1"] = [f1_of(tp, fp, fn)]
    out["mcc"] = [float(mcc_of(*cells.astype(float)))]

    fine = 2 * np.minimum((score * BINS * FINER).astype(np.int64), BINS * FINER - 1) + y
    counts = np.bincount(fine, minlength=2 * BINS * FINER)
    sums = np.bincount(fine, weights=y - score, minlength=2 * BINS * FINER)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    excess = (rng.multinomial(n, counts / n, size=settings["replicates"]) * means).reshape(-1, BINS, 2 * FINER).sum(axis=2)
    samples["ece"] = np.abs(excess).sum(axis=1) / n
    out["ece"] = [float(np.abs(sums.reshape(BINS, -1).sum(axis=1)).sum() / n)]
    for name, values in samples.items():
        out[name] += [float(q) for q in np.quantile(values[np.isfinite(values)], [0.025, 0.975])]
    return out


def evaluate(folder, way, rows):
    """The metrics of a set of rows, and the processor time they took."""
    begun = time.process_time()
    settings, y, score, groups = load(folder)
    if rows:
        chosen = np.logical_and.reduce([groups[column] == code for column, code in rows])
        y, score = y[chosen], score[chosen]
    predicted = (score >= settings["threshold"]).astype(np.int8)
    if way == "counts":
        out = by_counts(y, score, predicted, settings)
    else:
        out = by_scikit_learn(y, score, predicted)
        if way == "bootstrap":
            bootstrapped(out, y, score, predicted, settings)
    out = {name: None if value is None else [float(v) for v in value] for name, value in out.items()}
    return out, time.process_time() - begun


def main():
    folder, way, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    settings, _, _, groups = load(folder)
    # Forked after the rows were read, so that the processes share them.
    with joblib.Parallel(n_jobs=processes, backend="multiprocessing") as parallel:
        smallest = sets_of_rows(settings, groups)[-1]
        parallel(joblib.delayed(evaluate)(folder, way, smallest) for _ in range(8 * processes))

        begun = time.perf_counter()
        sets = sets_of_rows(settings, groups)
        results = parallel(joblib.delayed(evaluate)(folder, way, rows) for rows in sets)
        seconds = time.perf_counter() - begun

    def key(rows):
        return ",".join(f"{column}={settings['groups'][column][code]}" for column, code in rows)

    versions = {"python": sys.version.split()[0], "scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__}
    answer = {
        "seconds": seconds, "processor_seconds": sum(took for _, took in results), "versions": versions,
        "sets": {key(rows): out for rows, (out, _) in zip(sets, results)},
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
