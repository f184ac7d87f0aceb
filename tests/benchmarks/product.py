"""The product's own constants, for benchmarks that follow its rules without its database."""

import os
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from labeling import features, question_state, showings  # noqa: E402
from labeling.gold import need  # noqa: E402
from labeling.inference import model_prior, posteriors, prevalence, probes, weights  # noqa: E402
from labeling.models import Project  # noqa: E402
from labeling.pools import levels  # noqa: E402
from labeling.selection import candidates, concepts, known, picks, reader  # noqa: E402

__all__ = [
    "PROJECT",
    "candidates",
    "concepts",
    "features",
    "known",
    "levels",
    "model_prior",
    "need",
    "picks",
    "posteriors",
    "prevalence",
    "probes",
    "question_state",
    "reader",
    "showings",
    "weights",
]

PROJECT = Project()  # with the defaults of a new project, in no database
