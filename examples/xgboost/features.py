"""What a booster sees of a table."""

import pandas as pd
import xgboost

import table


def describe(rows: pd.DataFrame) -> dict:
    """The columns a model is made for: the numeric ones, and the others with the values that they have in rows."""
    numeric = table.numeric_columns(rows)
    return {
        "numeric": numeric,
        "categories": {c: sorted(rows[c].dropna().unique()) for c in rows if c not in numeric},
    }


def matrix(rows: pd.DataFrame, columns: dict, **labels) -> xgboost.DMatrix:
    """Rows for the booster. A value that training did not see counts as missing."""
    rows = table.with_types(rows, columns["numeric"], list(columns["categories"]))
    for name, values in columns["categories"].items():
        known = rows[name].where(rows[name].isin(values))
        rows[name] = pd.Categorical(known, categories=values)
    return xgboost.DMatrix(rows, enable_categorical=True, **labels)
