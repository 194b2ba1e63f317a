"""The errors a user of the lake may read. Nothing else belongs here."""


class LakeError(Exception):
    """One clear sentence for the user: what is wrong, where, and what to do. The CLI prints it and exits non-zero."""


class BadInputError(LakeError):
    """What was given (a file, a line, a field, an argument) is not what was expected."""


class ConfigError(LakeError):
    """A setting, a key or a registry entry is missing or wrong."""


class StoreError(LakeError):
    """The object store cannot be reached, refuses an identity, or does not keep the guarantees the lake needs."""


class ServiceError(LakeError):
    """A service did not start, did not become healthy, or its port is taken."""
