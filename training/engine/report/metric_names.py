"""What the metrics of ``metrics.json`` are called, and which stand beside others."""

BESIDE = ("low", "high", "chance", "real", "real_training", "floor", "apart")  # ends of names
NOT_MERIT = ("steps", "training_seconds")

WORDS = {
    "r_precision": "R-precision of the fixed prompts",
    "r_precision_held_out": "R-precision of held-out captions",
    "r_precision_unseen_pairs": "R-precision of colours and things never seen together",
    "unseen_colour": "the colour asked for, never seen of the thing",
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
}
