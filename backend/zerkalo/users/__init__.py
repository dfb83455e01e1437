"""People: accounts, proved contacts, what an import or an admin entered, merging, export and erasing.

What it needs of the rooms above comes in through `ports`; `belongings` lists what a user has in other subjects' tables.
"""
