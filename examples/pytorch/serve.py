"""Answers GET /ping and POST /invocations for the model in SM_MODEL_DIR: CSV with a header in, scores as JSON out."""

import argparse
import io
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import torch

import network
import table


class Model:
    def __init__(self, folder: str):
        torch.set_num_threads(1)  # requests share the processors already
        self.columns = json.loads(Path(folder, "columns.json").read_text())
        weights = torch.load(Path(folder, "weights.pt"), weights_only=True)
        self.network = network.network(weights["0.weight"].shape[1], self.columns["hidden"]).eval()
        self.network.load_state_dict(weights)

    @torch.no_grad()
    def scores(self, rows: pd.DataFrame) -> list[float]:
        """The probability of the positive value for each row."""
        return torch.sigmoid(self.network(network.inputs(rows, self.columns))).tolist()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open between requests
    disable_nagle_algorithm = True  # an answer is not held back until the one before it is acknowledged
    model: Model

    def do_GET(self) -> None:
        if self.path == "/ping":
            self.answer(200, {"status": "ready"})
        else:
            self.answer(404, {"error": f"there is no {self.path}; expected GET /ping"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/invocations":
            self.answer(404, {"error": f"there is no {self.path}; expected POST /invocations"})
            return
        try:
            self.answer(200, {"predictions": self.model.scores(table.read_csv(io.BytesIO(body)))})
        except (KeyError, ValueError) as problem:
            self.answer(400, {"error": f"read the rows: {problem}"})

    def answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-") -> None:
        pass  # a line for every request would hide the lines that matter


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    options = parser.parse_args()
    Handler.model = Model(os.environ["SM_MODEL_DIR"])
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
