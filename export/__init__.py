"""Offline: train with Keras, evaluate, calibrate, convert to ONNX, publish to the model repository."""
