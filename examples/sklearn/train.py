"""Trains a random forest on the tables in SM_CHANNEL_TRAIN and leaves it in SM_MODEL_DIR."""

import argparse
import json
import os
from pathlib import Path

import joblib
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import table


def number_or_name(text: str) -> float | str:
    """max_features is a share of the columns, sqrt or log2."""
    return text if text in ("sqrt", "log2") else float(text)


def parameters() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n_estimators", type=int, default=200)
    parser.add_argument("--max_depth", type=int, default=12)
    parser.add_argument("--min_samples_leaf", type=int, default=5)
    parser.add_argument("--max_features", type=number_or_name, default="sqrt")
    return parser.parse_args()


def main() -> None:
    options = parameters()
    rows, validation = table.read_channel("train"), table.read_channel("validation")
    labels, weights = table.take_labels(rows)
    validation_labels, validation_weights = table.take_labels(validation)
    numeric = table.numeric_columns(rows)
    text = [c for c in rows if c not in numeric]

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    forest = RandomForestClassifier(
        **vars(options),
        random_state=int(os.environ.get("ASSAY_SEED", "0")) % 2**32,
        n_jobs=int(os.environ.get("SM_NUM_CPUS", "1")),
    )
    model = make_pipeline(make_column_transformer((categories, text), remainder="passthrough"), forest)
    model.fit(table.with_types(rows, numeric, text), labels, randomforestclassifier__sample_weight=weights)

    # Several threads add up the trees' votes in any order; one thread gives the same last digit every time.
    forest.n_jobs = 1
    scores = model.predict_proba(table.with_types(validation, numeric, text))[:, 1]
    weigh = {"sample_weight": validation_weights}
    print(json.dumps({
        "validation_auc": roc_auc_score(validation_labels, scores, **weigh),
        "validation_log_loss": log_loss(validation_labels, scores, **weigh),
        "validation_accuracy": accuracy_score(validation_labels, scores >= 0.5, **weigh),
    }), flush=True)
    joblib.dump({"pipeline": model, "numeric": numeric, "text": text}, Path(os.environ["SM_MODEL_DIR"], "model.joblib"))


if __name__ == "__main__":
    main()
