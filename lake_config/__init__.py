"""Floor 1, what the lake is: settings, storage, table schemas, registries and their loader.

Belongs here: anything that answers "where is it, what is it called, what shape has it". Not here: language work (ml/),
judgements on data (quality/), anything that runs (assets/, orchestration/).
"""
