"""Recipes: how a model is trained, as data, one YAML file each beside this module, and the job that a recipe becomes.

Belongs here: their schema and reading them. Not here: training itself (`ml.training`), and any library that only training needs.
"""
