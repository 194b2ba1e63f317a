"""Labelled texts to train and measure on, whatever their origin: the city corpus, the data sets of others, a city's own CSV file.

Belongs here: reading labelled texts into one form, and their terms. Not here: training, measuring, and any text of the data sets of others.
"""
