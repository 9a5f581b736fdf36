"""`make bench`: what the programs do on this machine, as ratios measured in one run."""
