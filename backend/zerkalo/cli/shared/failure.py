"""The failure of a command."""


class CommandFailed(Exception):
    """The command can't do its work. Its text is one line that says what to do. The exit code is 1."""
