"""Testing tools: laws of the model, Hypothesis strategies, and a state machine that checks a cloud or your code."""
