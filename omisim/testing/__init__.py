"""For tests: the laws of the model, strategies, and a Hypothesis machine that proves them, or your code."""
