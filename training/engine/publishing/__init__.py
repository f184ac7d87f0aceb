"""The ways of a model out of here: its card, a hub of models, and ONNX."""
