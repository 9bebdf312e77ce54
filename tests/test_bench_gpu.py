"""The benchmark of GPUs compares the CPU with itself: nothing differs."""

import importlib
import re
from pathlib import Path

from discovery import needs_torch

NAMES = ("DDML", "EmbeddingNet, proxy anchor")
ROW = r"^(?:DDML|EmbeddingNet, proxy anchor) +([0-9.]+) +([0-9.]+) +[0-9.]+ +([0-9.]+) +(\S+)$"


@needs_torch
def test_the_cpu_is_as_the_cpu(monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples" / "benchmarks")
    bench = importlib.import_module("bench_gpu")
    monkeypatch.setattr(bench, "LEARNERS", {name: bench.LEARNERS[name] for name in NAMES})
    bench.main("cpu", 200, 4, 2)
    printed = capsys.readouterr().out
    rows = re.findall(ROW, printed, re.MULTILINE)
    assert len(rows) == 2
    for *rates, apart in rows:
        assert min(map(float, rates)) > 0
        assert float(apart) == 0
    assert "loaded without a GPU: embeddings 0.0e+00 apart" in printed
