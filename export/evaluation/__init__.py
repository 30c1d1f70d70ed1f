"""Calibration, thresholds and figures, from images that a network has not seen."""
