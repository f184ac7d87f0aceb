"""Choose which questions to ask whom next, and reserve them."""
