"""Trains a small network on the tables in SM_CHANNEL_TRAIN, on a GPU where there is one, and leaves it in SM_MODEL_DIR.
Killed at any moment and started again, it goes on from its last checkpoint and ends with the same weights."""

import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once; deterministic sums need it

import argparse
import json
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

import checkpoint
import network
import table

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def parameters() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--hidden", type=int, default=64, help="width of both hidden layers")
    parser.add_argument("--checkpoint_every", type=int, default=100, help="steps from one checkpoint to the next")
    parser.add_argument("--step_delay", type=float, default=0, help="seconds to wait after a step, to have time to kill it")
    return parser.parse_args()


def be_deterministic(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # the order of a sum, and so its last digits, depends on the number of threads


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a positive row has a higher score than a negative one; half a chance where they are equal."""
    values, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (count.cumsum() - (count - 1) / 2)[place]
    positives = labels.sum()
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def main() -> None:
    options = parameters()
    seed = int(os.environ.get("ASSAY_SEED", "0"))
    be_deterministic(seed)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))  # the running step ends, then a checkpoint is written

    rows, validation = table.read_channel("train"), table.read_channel("validation")
    labels, weights = (torch.tensor(c.to_numpy(np.float32), device=DEVICE) for c in table.take_labels(rows))
    validation_labels = table.take_labels(validation)[0].to_numpy()
    columns = network.describe(rows)
    x, validation_x = network.inputs(rows, columns).to(DEVICE), network.inputs(validation, columns).to(DEVICE)

    model = network.network(x.shape[1], options.hidden).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), options.learning_rate)
    loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
    progress = checkpoint.restore(model, optimizer) or {"epoch": 0, "batch": 0, "step": 0, "loss": 0.0}

    while progress["epoch"] < options.epochs:
        model.train()
        # The order of an epoch follows from its number, so that a checkpoint in the middle need not hold it.
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed + progress["epoch"]))
        batches = order.to(DEVICE).split(options.batch_size)
        for batch in batches[progress["batch"]:]:
            optimizer.zero_grad()
            loss = (loss_of(model(x[batch]), labels[batch]) * weights[batch]).mean()
            loss.backward()
            optimizer.step()
            progress["batch"] += 1
            progress["step"] += 1
            progress["loss"] += loss.item()
            time.sleep(options.step_delay)
            if stopping or progress["step"] % options.checkpoint_every == 0:
                checkpoint.save(model, optimizer, progress)
            if stopping:
                sys.exit(128 + signal.SIGTERM)
        model.eval()
        with torch.no_grad():
            scores = torch.sigmoid(model(validation_x)).cpu().numpy()
        print(json.dumps({
            "epoch": progress["epoch"] + 1,
            "step": progress["step"],
            "loss": progress["loss"] / len(batches),
            "validation_auc": area_under_curve(scores, validation_labels),
        }), flush=True)
        progress.update(epoch=progress["epoch"] + 1, batch=0, loss=0.0)

    folder = Path(os.environ["SM_MODEL_DIR"])
    torch.save(model.cpu().state_dict(), folder / "weights.pt")
    (folder / "columns.json").write_text(json.dumps(columns | {"hidden": options.hidden}, indent=1))


if __name__ == "__main__":
    main()
