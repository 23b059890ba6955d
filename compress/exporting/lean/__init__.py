"""The exported graph of an encoder, rewritten into fewer and quicker operators that answer the same."""
