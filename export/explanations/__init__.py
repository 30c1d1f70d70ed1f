"""Are the explanations worth anything? A benchmark of the gateway's methods against maps that know nothing."""
