"""Silver: raw rows become masked posts or rejects, texts become opinions.

Belongs here: the pure transforms (parse, refine, label) and, beside them, how they are driven over Delta tables. Not here: the language
work itself (ml/), fetching (assets/bronze).
"""
