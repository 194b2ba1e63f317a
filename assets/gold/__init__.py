"""Gold: the figures. Pure functions from silver rows to gold rows, and the reading and overwriting of one event day.

Not here: dashboards (superset_dashboards/), quality rules (quality/).
"""
