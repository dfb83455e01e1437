"""How a command ends when it can't do its work."""


class CommandFailed(Exception):
    """The command can't do its work. Its text is one line that says what to do; the exit code is 1."""
