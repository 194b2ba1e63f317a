"""Bronze: connectors that land what they fetch, unchanged and exactly once.

Belongs here: one module per connector, and what they share (envelope, cursor). A new connector is one module that offers
`collect(lake, sources, ...)`, one line in lake_config.tables.bronze and a registry entry. Not here: reading what a payload says beyond
its id, link and date (assets/silver).
"""
