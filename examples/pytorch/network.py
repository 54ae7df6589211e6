"""The network, and what it sees of a table."""

import numpy as np
import pandas as pd
import torch

import table


def describe(rows: pd.DataFrame) -> dict:
    """The columns a network is made for: mean and spread of the numeric ones, the values of the others."""
    names = table.numeric_columns(rows)
    numbers = rows[names].apply(pd.to_numeric)
    spread = numbers.std(ddof=0).replace(0, 1)
    return {
        "numeric": {c: [float(numbers[c].mean()), float(spread[c])] for c in names if numbers[c].notna().any()},
        "categories": {c: sorted(rows[c].dropna().unique()) for c in rows if c not in names},
    }


def inputs(rows: pd.DataFrame, columns: dict) -> torch.Tensor:
    """Rows as numbers: standardised, the mean where one is missing, and a 1 for the value that a text has.
    A text that is missing or that training did not see has no 1."""
    rows = table.with_types(rows, list(columns["numeric"]), list(columns["categories"]))
    parts = [((rows[c] - mean) / spread).fillna(0) for c, (mean, spread) in columns["numeric"].items()]
    parts += [rows[c] == value for c, values in columns["categories"].items() for value in values]
    return torch.from_numpy(np.column_stack(parts).astype(np.float32))


def network(width: int, hidden: int) -> torch.nn.Sequential:
    """Gives the log-odds of the positive value."""
    return torch.nn.Sequential(
        torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Dropout(0.2),
        torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Dropout(0.2),
        torch.nn.Linear(hidden, 1), torch.nn.Flatten(0),
    )
