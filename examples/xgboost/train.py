"""Boosts trees on the tables in SM_CHANNEL_TRAIN until SM_CHANNEL_VALIDATION gets no better, and goes on from the
checkpoint in ASSAY_CHECKPOINT_DIR when there is one. The model is left in SM_MODEL_DIR."""

import argparse
import json
import os
from pathlib import Path

import xgboost

import features
import table

CHECKPOINT = Path(os.environ["ASSAY_CHECKPOINT_DIR"], "booster.ubj")


def parameters() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=500, help="most rounds")
    parser.add_argument("--early_stopping_rounds", type=int, default=30, help="rounds without a better validation-auc")
    parser.add_argument("--checkpoint_every", type=int, default=20, help="rounds from one checkpoint to the next")
    parser.add_argument("--eta", type=float, default=0.1)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--min_child_weight", type=float, default=1)
    parser.add_argument("--reg_lambda", type=float, default=1)
    return parser.parse_args()


def write_checkpoint(booster: xgboost.Booster, rounds: int) -> None:
    """The file is whole under its name at every moment, whatever ends the program."""
    unfinished = CHECKPOINT.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        file.write(booster.save_raw("ubj"))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(CHECKPOINT)
    print(json.dumps({"checkpoint": CHECKPOINT.name, "step": rounds}), flush=True)


def main() -> None:
    options = parameters()
    rows, validation_rows = table.read_channel("train"), table.read_channel("validation")
    labels, weights = table.take_labels(rows)
    validation_labels, validation_weights = table.take_labels(validation_rows)
    columns = features.describe(rows)
    train = features.matrix(rows, columns, label=labels, weight=weights)
    validation = features.matrix(validation_rows, columns, label=validation_labels, weight=validation_weights)

    # No subsample and no colsample_*: a saved booster does not hold the state of its random numbers, so one that samples
    # would go on from a checkpoint with other samples, and end as another model than without the interruption.
    booster = xgboost.Booster({
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "auc"],
        "eta": options.eta,
        "max_depth": options.max_depth,
        "min_child_weight": options.min_child_weight,
        "reg_lambda": options.reg_lambda,
        "nthread": int(os.environ.get("SM_NUM_CPUS", "1")),
        "seed": int(os.environ.get("ASSAY_SEED", "0")) % 2**31,
    }, [train, validation], model_file=CHECKPOINT if CHECKPOINT.exists() else None)
    if booster.num_boosted_rounds():
        print(json.dumps({"resumed_from_step": booster.num_boosted_rounds()}), flush=True)

    # The best round so far is kept in the booster, so that a checkpoint holds it too.
    for round in range(booster.num_boosted_rounds(), options.rounds):
        best_auc, best_round = float(booster.attr("best_auc") or 0), int(booster.attr("best_round") or 0)
        if round - best_round > options.early_stopping_rounds:
            break
        booster.update(train, round)
        progress = booster.eval_set([(train, "train"), (validation, "validation")], round)
        print(progress, flush=True)  # as in "[12]  train-logloss:0.41  ...  validation-auc:0.91"
        auc = float(progress.rsplit(":", 1)[1])
        if auc > best_auc:
            booster.set_attr(best_auc=str(auc), best_round=str(round))
        if (round + 1) % options.checkpoint_every == 0:
            write_checkpoint(booster, round + 1)

    best = int(booster.attr("best_round"))
    folder = Path(os.environ["SM_MODEL_DIR"])
    booster[: best + 1].save_model(folder / "model.ubj")
    (folder / "columns.json").write_text(json.dumps(columns, indent=1))
    print(json.dumps({"best_round": best, "best_validation_auc": float(booster.attr("best_auc"))}), flush=True)


if __name__ == "__main__":
    main()
