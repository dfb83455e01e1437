"""People: accounts, proved contacts, what an import or an admin entered, merging, export and erasing.

Imports `auth` and `outbox` below it and none of its siblings; what it needs of them comes in through `Ports`.
"""
