"""The `zerkalo` command: one file a command, each parses arguments, calls a service and prints.

A root of the program: it may import everything, and nothing imports it. Only here is anything printed.
"""
