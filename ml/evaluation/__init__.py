"""How good a model is: figures with their intervals, and the model card made from them.

Belongs here: metrics, measuring a loaded model on labelled sets, writing the card, comparing two models. Not here: training, and any
library that only training needs.
"""
