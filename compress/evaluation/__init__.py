"""What a model's answers are worth: figures, their intervals, and paired differences. Knows arrays, no models."""
