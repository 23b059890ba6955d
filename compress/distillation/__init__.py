"""A student made out of a teacher, the teacher's kept answers, and the losses that compare the two while training."""
