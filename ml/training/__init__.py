"""Training: from labelled texts to a model folder. Runs in an environment of its own (requirements.txt), where torch is; nothing that runs
in the lake imports it.

Belongs here: everything that needs torch or the tools that write ONNX. Not here: recipes (`ml.recipes`), labelled texts (`ml.labelled`),
figures (`ml.evaluation`), reading texts with a finished model (`ml.language_model`).
"""
