"""Further texts for the teacher to answer, made out of those that are there; one way of changing a text in a file."""
