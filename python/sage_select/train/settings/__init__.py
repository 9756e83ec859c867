"""The settings of a training run, a class for each heading of the help: every one is declared here and nowhere else."""
