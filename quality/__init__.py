"""Floor 2, judgement: expectations for every table, quarantine reasons, reconciliation of the account.

Belongs here: what a right table looks like and how a wrong one is reported. Not here: reading or writing tables, language work.
"""
