"""The simulated workplace: the whole box in one command."""
