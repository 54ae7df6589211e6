"""Scores the rows of a CSV file by hand: predict.py MODEL_FOLDER ROWS.csv prints one score a line."""

import sys
from pathlib import Path

import table
from serve import Model

folder, rows = sys.argv[1:]
for score in Model(folder).scores(table.read_csv(Path(rows))):
    print(score)
