"""Floor 2, language: normalising, masking, sentiment, topics and places, and the model files with their cards.

Belongs here: functions from text (or Arrow columns of text) to facts about it. Not here: tables, storage, Dagster, the clock.
"""
