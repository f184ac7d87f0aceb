"""What the metrics of ``metrics.json`` are called in words, and which stand beside others."""

from collections.abc import Mapping

REAL = {  # ends of names of metrics of real pictures, and what is said beside their value
    "real": "",
    "real_training": " (training pictures)",
    "floor": "",
    "apart": " (between training pictures)",
}
BESIDE = ("low", "high", "chance", *REAL)  # ends of names
NOT_MERIT = ("steps", "training_seconds")

WORDS = {
    "r_precision": "R-precision of the fixed prompts",
    "r_precision_held_out": "R-precision of held-out captions",
    "r_precision_unseen_pairs": "R-precision of unseen pairs of colour and thing",
    "unseen_colour": "colour of unseen pairs of colour and thing, recognised",
    "attributes": "the concept asked for is seen",
    "kid": "KID from held-out pictures",
    "cmmd": "CMMD from held-out pictures",
    "clip_score": "CLIP score of held-out captions",
    "cosine": "cosine with held-out captions",
    "nearest_train": "distance to the nearest training picture",
    "near_copies": "share of near copies",
    "nats_per_token": "nats per token of held-out pictures",
    "discriminator_accuracy": "held-out pictures distinguished from generated ones",
    "recall@10": "own picture among the first ten",
    "caption_among_ten": "own caption preferred to nine others",
    "concept_ap": "average precision of concepts",
    "concept_ap_zero_shot": "average precision of concepts, from their names alone",
    "concept_log_loss": "log loss of concepts",
    "people": "people's answers about its pictures",  # a judge of verdicts
}


def words(name: str) -> str:
    """Return a metric's name in words, with its judge."""
    what, _, judge = (name, "", "") if name in WORDS else name.partition("@")
    name_in_words = WORDS.get(what, what.replace("_", " "))
    return f"{name_in_words} by {judge}" if judge else name_in_words


def is_beside(name: str, values: Mapping[str, object]) -> bool:
    """Return whether a metric stands beside another one: as its interval, chance or real value."""
    return any(name.removesuffix(f"_{end}") in values for end in BESIDE if name.endswith(end))
