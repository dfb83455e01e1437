"""What we send to people: written in the transaction that caused it, sent afterwards, forgotten once it is sent.

`service.send_due` is called by a periodic job and by a bell after each commit that wrote a message. Knows no domain.
"""
