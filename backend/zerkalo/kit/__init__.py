"""Small typed values without I/O: the clock, money, phones, ids.

Everything may import it; it imports nothing of ours, no framework, no driver and no setting.
"""
