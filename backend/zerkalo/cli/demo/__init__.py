"""`zerkalo demo`: a made-up salon at work. `model` has its people, `visits` their two years in the emulator, `story` what
happened on our side; `command` runs it all and `banner` says what to look at. Nothing else may import it.
"""
