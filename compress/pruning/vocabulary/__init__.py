"""Fewer word pieces: tokenizer and embedding are rewritten together, so that text of kept pieces is read as before."""
