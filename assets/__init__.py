"""Floor 3, the software-defined assets: bronze (one module per connector), silver, gold, audit.

Belongs here: thin assets (read, call a pure transform, write, report) and, beside them, the pure transforms. Not here: schedules,
sensors, jobs and the command line (orchestration/).
"""
