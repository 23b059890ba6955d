"""Running a finished model: texts in, named arrays out; torch only in `torch_predictor`."""
