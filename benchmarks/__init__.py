"""Measurements as commands. They print figures and judge nothing; machines are noisy, so compare within one run."""
