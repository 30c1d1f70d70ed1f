"""Training data: records, arrays, patient-wise folds, and what is done to images on the way to a network."""
