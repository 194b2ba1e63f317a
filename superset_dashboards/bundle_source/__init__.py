"""The one source of the bundle: what is declared here, build_bundle.py writes out as the YAML files under bundle/.

Belongs here: datasets, metrics, charts, the dashboard's layout, filters and words. Not here: anything of a running Superset.
Runs in the main environment and in Superset's.
"""
