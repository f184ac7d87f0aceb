r"""Methods of crowd-kit, peerannot and cleanlab for truth inference, each a function of a crowd.

None of them is part of the environment; put them in a folder of their own and name that folder in
PYTHONPATH:

    pip install --no-deps --target LIBRARIES crowd-kit==1.4.2 cleanlab==2.9.0 \\
        peerannot==0.0.1.post43 scikit-learn==1.5.2 joblib threadpoolctl cloudpickle nltk tqdm \\
        transformers pandas termcolor regex sparse==0.15.5 numba llvmlite loguru line_profiler \\
        plotly narwhals torchmetrics lightning-utilities

Default settings for all. CROWDLAB (cleanlab) weighs people's answers against a classifier's
probabilities; where there are answers alone it is given the class frequencies of the votes for each
task, which say nothing of it. It tells the chosen class's probability alone; the rest is spread
evenly. WDS calls DawidSkene wrongly in peerannot's version here, so it is given a fitted one.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from crowds import Crowd, Floats, Ints

# (T, K) probabilities, or (T,) classes where a method has no more to say; and seconds
Inferred = tuple[Floats | Ints, float]
LIBRARIES = {"crowdkit": "crowd-kit", "peerannot": "peerannot", "cleanlab": "cleanlab"}


def missing() -> list[str]:
    """Return the names of the libraries that are not installed."""
    return [name for each, name in LIBRARIES.items() if importlib.util.find_spec(each) is None]


def methods() -> dict[str, Callable[[Crowd], Inferred]]:
    """Return the methods of the libraries that are installed, by name."""
    return {name: method for name, (library, method) in METHODS.items() if library not in missing()}


def _crowdkit(method: str, crowd: Crowd) -> Inferred:
    import crowdkit.aggregation  # type: ignore[import-not-found]
    import pandas as pd  # type: ignore[import-untyped]

    columns = {"task": crowd.task, "worker": crowd.worker, "label": crowd.label}
    frame = pd.DataFrame(columns)
    model = getattr(crowdkit.aggregation, method)()
    tasks = range(int(crowd.task.max()) + 1)
    started = time.perf_counter()
    if not hasattr(model, "fit_predict_proba"):
        labels = model.fit_predict(frame)
        return labels.reindex(tasks).to_numpy(), time.perf_counter() - started
    found = model.fit_predict_proba(frame)
    seconds = time.perf_counter() - started
    table = found.reindex(index=tasks, columns=range(len(crowd.classes)), fill_value=0.0)
    return np.nan_to_num(table.to_numpy(np.float64)), seconds


def _peerannot(method: str, crowd: Crowd) -> Inferred:
    from peerannot.models import agg_strategies  # type: ignore[import-not-found]

    answers: dict[int, dict[int, int]] = {}
    for task, worker, label in zip(
        crowd.task.tolist(), crowd.worker.tolist(), crowd.label.tolist(), strict=True
    ):
        answers.setdefault(task, {})[worker] = label
    sizes = {"n_workers": int(crowd.worker.max()) + 1, "n_classes": len(crowd.classes)}
    more: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if method == "glad":
            more["dataset"] = Path(folder)  # where it leaves what it learned
        started = time.perf_counter()
        model = agg_strategies[method](answers, **sizes, **more)
        if method == "wds":
            model.ds = agg_strategies["dawid_skene"](answers, **sizes)
            model.ds.run()
            model.pi = model.ds.pi
        else:
            model.run()
        found = np.asarray(model.get_probas())
    return found, time.perf_counter() - started


def _crowdlab(crowd: Crowd) -> Inferred:
    from cleanlab.multiannotator import (  # type: ignore[import-not-found]
        get_label_quality_multiannotator,
    )

    k = len(crowd.classes)
    answers = np.full((int(crowd.task.max()) + 1, int(crowd.worker.max()) + 1), np.nan)
    answers[crowd.task, crowd.worker] = crowd.label
    frequencies = np.bincount(crowd.label, minlength=k) / len(crowd.label)
    started = time.perf_counter()
    found = get_label_quality_multiannotator(
        answers,
        np.tile(frequencies, (len(answers), 1)),
        return_detailed_quality=False,
        return_annotator_stats=False,
        verbose=False,
    )["label_quality"]
    seconds = time.perf_counter() - started
    label = found["consensus_label"].to_numpy(np.intp)
    quality = found["consensus_quality_score"].to_numpy(np.float64)
    quality = np.maximum(quality, 1 / k + 1e-6)  # the chosen class is the likeliest
    table = np.tile((1 - quality)[:, None] / max(k - 1, 1), (1, k))
    table[np.arange(len(label)), label] = quality
    return table, seconds


METHODS: dict[str, tuple[str, Callable[[Crowd], Inferred]]] = {
    **{
        name: ("crowd-kit", partial(_crowdkit, name))
        for name in (
            "MajorityVote",
            "Wawa",
            "ZeroBasedSkill",
            "DawidSkene",
            "OneCoinDawidSkene",
            "GLAD",
            "MACE",
            "MMSR",
        )
    },
    **{
        f"peerannot {name}": ("peerannot", partial(_peerannot, key))
        for name, key in (
            ("DawidSkene", "dawid_skene"),
            ("DawidSkeneClust", "dawid_skene_clust"),
            ("GLAD", "glad"),
            ("IWMV", "iwmv"),
            ("WDS", "wds"),
        )
    },
    "CROWDLAB, no model": ("cleanlab", _crowdlab),
}
# Those that need minutes on one of the sets.
SLOW = "GLAD", "MMSR", "MACE", "peerannot GLAD", "peerannot DawidSkene", "peerannot WDS"
