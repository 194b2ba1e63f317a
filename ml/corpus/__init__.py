"""The city corpus: texts about city life written for this project, labelled twice, and how well the two labellings agree.

Belongs here: the texts, their labels and reading them. Not here: the data sets of others, training, models.
"""
