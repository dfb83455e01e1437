"""The `zerkalo` command: one file a command, which parses arguments, calls a service and prints.

A root of the program: it may import everything, and nothing imports it. Nothing else prints.
"""
