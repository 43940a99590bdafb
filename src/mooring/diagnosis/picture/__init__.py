"""A diagnosis as a picture: sources by stages, from evidence or from what is told while one runs."""
