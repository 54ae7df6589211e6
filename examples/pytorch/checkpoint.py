"""Checkpoints from which training goes on as if it had never stopped, to the last bit."""

import json
import os
import random
from pathlib import Path

import numpy as np
import torch

FILE = Path(os.environ["ASSAY_CHECKPOINT_DIR"], "checkpoint.pt")


def save(model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: dict) -> None:
    """The file is whole under its name at every moment, whatever ends the program."""
    unfinished = FILE.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        torch.save({
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": progress,
            "python": random.getstate(),
            "numpy": np.random.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(FILE)
    print(json.dumps({"checkpoint": FILE.name, "step": progress["step"]}), flush=True)


def restore(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict | None:
    """The progress of the last checkpoint, or None when there is none."""
    if not FILE.exists():
        return None
    # Random states are no tensors, and so need a load that could run code; the file is this program's own.
    saved = torch.load(FILE, map_location="cpu", weights_only=False)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    random.setstate(saved["python"])
    np.random.set_state(saved["numpy"])
    torch.set_rng_state(saved["torch"])
    if len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])
    print(json.dumps({"resumed_from_step": saved["progress"]["step"]}), flush=True)
    return saved["progress"]
