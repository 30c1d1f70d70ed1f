"""The lung segmenter: its data, network, training, evaluation and conversion."""
