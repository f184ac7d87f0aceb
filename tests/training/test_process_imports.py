"""What each process loads, and what it does not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def holds(condition: str, *, imports: str) -> bool:
    """Whether a condition holds in a new process that has set up Django and imported this."""
    code = f"import django, sys; django.setup(); {imports}; sys.exit(not ({condition}))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_process_sends_tasks_to_the_projects_own_broker() -> None:
    assert holds("tasks.train.app.main == 'tessera'", imports="from training import tasks")


def test_the_web_process_never_loads_torch() -> None:
    assert holds("not {'torch', 'open_clip'} & set(sys.modules)", imports="import config.urls")


def test_a_run_on_the_frozen_encoders_loads_neither_their_makers_nor_torchs_compiler() -> None:
    imports = """import torch, training.engine.run
from training.engine.encoders import efficientnet, imagenet, text
from training.engine.optimizers import LBFGS, AdamW
efficientnet.load_efficientnet().features(torch.rand(1, 3, 32, 32))
text.sentence_encoder().encode(imagenet.class_texts()[:1])
weight = torch.ones(1, requires_grad=True)
weight.square().backward()
AdamW([weight]).step()
LBFGS([weight]).step(lambda: weight.square().sum())"""
    slow = "'open_clip', 'timm', 'torch._dynamo', 'torch.distributed.fsdp', 'transformers'"
    assert holds(f"not {{{slow}}} & set(sys.modules)", imports=imports)
