"""Reads the CSV files that Assay hands to a training program, and the rows it asks a server about."""

import os
from pathlib import Path
from typing import IO

import pandas as pd


def read_csv(source: Path | IO) -> pd.DataFrame:
    """Every cell is kept as text. An empty cell is a missing value; texts such as NA are not."""
    return pd.read_csv(source, dtype=str, keep_default_na=False, na_values=[""], skip_blank_lines=False)


def read_channel(name: str) -> pd.DataFrame:
    """All files of a channel: SM_CHANNEL_TRAIN and SM_CHANNEL_VALIDATION are folders."""
    folder = Path(os.environ["SM_CHANNEL_" + name.upper()])
    return pd.concat([read_csv(file) for file in sorted(folder.iterdir())], ignore_index=True)


def take_labels(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Takes the target out of rows, as 1 where it has the positive value and 0 elsewhere, and the weights of rows."""
    labels = (rows.pop(os.environ["ASSAY_TARGET"]) == os.environ["ASSAY_POSITIVE"]).astype(int)
    weight = os.environ.get("ASSAY_WEIGHT")
    weights = rows.pop(weight).astype(float) if weight else pd.Series(1.0, rows.index)
    return labels, weights


def numeric_columns(rows: pd.DataFrame) -> list[str]:
    """Columns whose values all read as numbers."""
    return [c for c in rows if pd.to_numeric(rows[c], errors="coerce").notna().equals(rows[c].notna())]


def with_types(rows: pd.DataFrame, numeric: list[str], text: list[str]) -> pd.DataFrame:
    """The columns of a model in its order, numbers as numbers. KeyError or ValueError when the rows do not fit."""
    return pd.concat([rows[numeric].apply(pd.to_numeric), rows[text]], axis=1)
