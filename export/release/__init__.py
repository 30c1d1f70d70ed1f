"""From a trained run to a model in the repository."""
