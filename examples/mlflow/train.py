"""Trains boosted trees on the Parquet tables in SM_CHANNEL_TRAIN and saves them as an MLflow model in SM_MODEL_DIR/model."""

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path

import mlflow.sklearn
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def parameters() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=0.05)
    parser.add_argument("--max_iter", type=int, default=200)
    parser.add_argument("--max_leaf_nodes", type=int, default=15)
    return parser.parse_args()


def read_channel(name: str) -> tuple[pd.DataFrame, pd.Series, pd.Series | None]:
    """Features, labels (1 where the target has the positive value, 0 elsewhere) and weights of a channel."""
    folder = Path(os.environ["SM_CHANNEL_" + name.upper()])
    rows = pd.concat([pd.read_parquet(file) for file in sorted(folder.iterdir())], ignore_index=True)
    labels = (rows.pop(os.environ["ASSAY_TARGET"]).astype(str) == os.environ["ASSAY_POSITIVE"]).astype(int)
    weight = os.environ.get("ASSAY_WEIGHT")
    weights = rows.pop(weight) if weight else None
    numeric = rows.select_dtypes("number").columns
    return rows.astype({c: float if c in numeric else object for c in rows}), labels, weights


def main() -> None:
    options = parameters()
    rows, labels, weights = read_channel("train")
    validation, validation_labels, validation_weights = read_channel("validation")
    text = [c for c in rows if rows[c].dtype == object]

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    trees = HistGradientBoostingClassifier(**vars(options), random_state=int(os.environ.get("ASSAY_SEED", "0")) % 2**32)
    model = make_pipeline(make_column_transformer((categories, text), remainder="passthrough"), trees)
    model.fit(rows, labels, histgradientboostingclassifier__sample_weight=weights)

    scores = model.predict_proba(validation)[:, 1]
    print(json.dumps({
        "validation_auc": roc_auc_score(validation_labels, scores, sample_weight=validation_weights),
        "validation_log_loss": log_loss(validation_labels, scores, sample_weight=validation_weights),
    }), flush=True)

    # Any value may be missing in a request, whatever the training rows had.
    schema = Schema([ColSpec("string" if c in text else "double", c, required=False) for c in rows])
    mlflow.sklearn.save_model(
        model,
        Path(os.environ["SM_MODEL_DIR"], "model"),
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
        # Without a random id and the time, equal trainings give equal files; Assay records when and by what it was trained.
        mlflow_model=Model(model_uuid=None, utc_time_created="1970-01-01 00:00:00"),
        signature=ModelSignature(inputs=schema),
        pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow-skinny", "pandas", "scikit-learn")],
    )


if __name__ == "__main__":
    main()
