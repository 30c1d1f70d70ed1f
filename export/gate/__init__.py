"""The classifier's side of the input gate: how far an image is from the chest radiographs, and how it shows a chest."""
