"""What each command of `./lake` does, one module a command or family of commands.

Belongs here: the steps of a command, as functions that a test can call. Not here: options and printing of errors (orchestration.cli), the
work itself (assets/, services/).
"""
