"""One plan in, one run folder out."""
