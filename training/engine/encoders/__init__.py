"""Texts and pictures as embeddings, and the conditions made of them."""
