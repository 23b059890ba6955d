"""A classifier whose answer is known beforehand."""

from compress.inference.classifier import Prediction

ONE = Prediction("a", {"a": 0.75, "b": 0.25}, ("a",))


class Always:
    """A classifier that gives one answer to everything."""

    def __init__(self, prediction=ONE, task="text-classification"):
        self.prediction, self.task = prediction, task

    def predict(self, texts):
        return [self.prediction for _ in texts]
