"""From a classifier to the same classifier with its explanations computed in the graph."""
