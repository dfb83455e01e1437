"""Messages to people: written in the transaction that caused them, sent after its commit, emptied once sent.

`service.send_due` is called periodically and after each commit that wrote a message. Knows no domain.
"""
