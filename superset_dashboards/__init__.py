"""Dashboards as code: what Superset shows, how it is configured and locked down, how it is started and loaded.

Belongs here: everything that runs in Superset's own environment, and the bundle of database, datasets, charts and dashboards.
Not here: how a figure is computed (assets/gold) or what a table holds (lake_config/tables, from which the dataset columns are generated).
"""
