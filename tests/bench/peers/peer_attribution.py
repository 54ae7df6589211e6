"""Shapley values of a logistic regression, by SHAP: what Assay's sampled Shapley values are compared with.

    python peer_attribution.py FOLDER SCALE SAMPLES

FOLDER holds rows.npy and background.npy, row by row, and model.json: intercept, coefficients, seed. SCALE is probability or
log_odds, what the values add up to. SAMPLES are those of shap.SamplingExplainer for each row; auto is its own choice. Prints
one JSON object: seconds on the clock and of the processors, versions, the values, a list a row, and those in log-odds by
shap.LinearExplainer, which are exact. A run of less than ten seconds is repeated, three times in all, and the fastest counts.

Rows are in memory, modules imported and the explainer made before the clock starts.
"""

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import shap

logging.getLogger("shap").setLevel(logging.ERROR)


def main():
    folder, scale, samples = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    model = json.loads((folder / "model.json").read_text())
    weights = np.array(model["coefficients"])
    rows, background = (np.load(folder / f"{name}.npy").reshape(-1, len(weights)) for name in ("rows", "background"))

    def log_odds(x):
        return x @ weights + model["intercept"]

    def probability(x):
        return 1 / (1 + np.exp(-log_odds(x)))

    np.random.seed(model["seed"])
    explainer = shap.SamplingExplainer({"probability": probability, "log_odds": log_odds}[scale], background)
    samples = samples if samples == "auto" else int(samples)
    explainer.shap_values(rows[:1], nsamples=200, silent=True)

    runs = []
    while len(runs) < 3 and (not runs or runs[0][0] < 10):
        begun, processor = time.perf_counter(), time.process_time()
        values = explainer.shap_values(rows, nsamples=samples, silent=True)
        runs.append((time.perf_counter() - begun, time.process_time() - processor))
    seconds, processor = min(runs)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    linear = shap.LinearExplainer((weights, model["intercept"]), masker).shap_values(rows)
    json.dump({
        "seconds": seconds, "processor_seconds": processor, "versions": {"shap": shap.__version__, "numpy": np.__version__},
        "values": values.tolist(), "linear": linear.tolist(),
    }, sys.stdout)


if __name__ == "__main__":
    main()
