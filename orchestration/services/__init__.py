"""The services of one lake on one machine: object store, Dagster, Superset, demo city, and the supervisor that keeps them alive.

Belongs here: generated secrets and configuration files, the processes and their health. Not here: the command line (orchestration.cli),
what the services serve (definitions, dashboards, the demo city itself), and any reading or writing of tables.
"""
