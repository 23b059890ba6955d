"""A model as a graph in one file, with the proof that it answers as the model does."""
