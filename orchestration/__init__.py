"""Floor 4, what makes the lake run: definitions, jobs, schedules, sensors, resources, services, the command line, the demo city.

Belongs here: when and where things run. Not here: what a row becomes (assets/, ml/) or what is right (quality/).
"""
