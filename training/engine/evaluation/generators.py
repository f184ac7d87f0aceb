"""Measure what a model's pictures are worth, each figure by a judge that is named.

- ``r_precision``: how often, of all fixed prompts, a picture's own suits it best;
  ``r_precision_held_out``: of 99 other held-out captions, or as many as there are;
  ``r_precision_unseen_pairs``: of things in colours that no training picture shows them in;
  ``r_precision_one_call``: of all fixed prompts, as ``r_precision``, where a student of many steps
  draws in one;
- ``unseen_colour``: of eight colours, the one asked for (``@pixels`` by the pixels alone);
- ``cosine`` of a picture and its held-out caption, ``clip_score`` = 100 · max(cosine, 0);
- ``attributes``: how often a classifier, taught by training pictures, sees the concept asked for;
  its chance is how often it sees it in held-out pictures that do not show it;
- ``kid``, ``cmmd``: how far pictures are from the held-out ones whose captions they were asked
  for; ``density``, ``coverage`` (by the five nearest);
- the same by the frozen image encoder, which is the same everywhere (``@efficientnet-lite0``), and
  ``variety``: how unlike each other the pictures of a fixed prompt are;
- ``nearest_train``, ``near_copies``: how near the nearest training picture is;
- ``nats_per_token``: how surprising held-out pictures are, where a model says it;
- ``discriminator_accuracy@discriminator``: how often a GAN's own discriminator finds a held-out
  picture more real than the one generated for its caption.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from training.engine.data.rows import Snapshot
from training.engine.encoders.text import Spec
from training.engine.evaluation import (
    concepts,
    image_judge,
    judges,
    near_copies,
    own_scores,
    prompt_fit,
    prompt_sets,
    unseen_pairs,
)
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.model_config import evaluation_settings
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator
from training.engine.recipes.base import ImageGenerator


def evaluate_generator(
    folder: Path, config: dict[str, Any], snapshot: Snapshot, cache: Path, spec: Spec | None
) -> dict[str, float]:
    """Return every figure that the snapshot allows, of the model in ``folder``.

    ``config`` is its ``config.json``; ``spec`` names an open_clip model that is to judge.
    """
    generator, neighbours = load_generator(folder), Neighbours.load(folder)
    settings = evaluation_settings(folder, config)
    conditioners = [config.get("clip") or {}]
    judge = judges.choose(
        snapshot, settings.judge_steps, cache, spec=spec, conditioners=conditioners
    )
    fixed = prompt_sets.fixed(settings.prompts, settings.seeds)
    held_out = prompt_sets.of_held_out(snapshot, settings.seed, settings.samples)
    pairs = prompt_sets.of_unseen_pairs(snapshot, settings.prompts, settings.seeds)
    known_concepts = prompt_sets.of_concepts(snapshot, settings.seeds)
    of_fixed, of_held_out = fixed.sample(generator), held_out.sample(generator)
    return {
        **near_copies.measure(of_fixed, neighbours, snapshot, cache),
        **prompt_fit.measure_fixed(fixed, judge.embed_pictures(of_fixed), judge, snapshot),
        **unseen_pairs.measure(pairs, pairs.sample(generator), judge, snapshot),
        **prompt_fit.measure_held_out(held_out, judge.embed_pictures(of_held_out), judge, snapshot),
        **image_judge.measure(
            image_judge.choose(cache), snapshot, (fixed, of_fixed), (held_out, of_held_out)
        ),
        **concepts.measure(known_concepts, known_concepts.sample(generator), judge, snapshot),
        **own_scores.measure(generator, held_out, of_held_out, cache),
        **_in_one_call(config, fixed, generator, judge),
    }


def _in_one_call(
    config: dict[str, Any], fixed: PromptSet, generator: ImageGenerator, judge: Judge
) -> dict[str, float]:
    """Return the R-precision of fixed prompts that a student draws, if there is one."""
    if not (fixed.has_several_texts and config["network"].get("one_call_steps")):
        return {}
    pictures = fixed.sample(generator, steps=1)
    in_one_call = replace(fixed, name="_one_call")
    return prompt_fit.r_precision(in_one_call, judge.embed_pictures(pictures), judge)
