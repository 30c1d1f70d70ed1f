"""The networks and their starting weights."""
