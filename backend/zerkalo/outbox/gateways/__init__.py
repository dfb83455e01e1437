"""The senders: a mail server, an SMS gateway, the salon's bot, and the log for the demo."""
