"""Which code this is, and which runs it can go on with. It imports no torch."""

import hashlib
from functools import cache
from pathlib import Path

import labeling

# Of a run's config.json and checkpoints: a new number where code that knows the earlier one alone
# could not read them.
RUN_FORMAT = 1
READABLE = (1,)  # those that this code goes on with


@cache
def code_version() -> str:
    """Return the package's version and a hash of the code that decides a model's numbers.

    That is the engine, and the truth inference that its probe is part of.
    """
    root = Path(__file__).parents[2]
    folders = root / "training" / "engine", root / "labeling" / "aggregation"
    sources = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return f"{labeling.__version__}+{content[:12]}"
