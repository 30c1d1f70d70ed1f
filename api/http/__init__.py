"""The wire: HTTP in, HTTP out. Thin; it knows nothing of how an answer comes about."""
