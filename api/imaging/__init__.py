"""Pure functions on images: decode, preprocess, render."""
