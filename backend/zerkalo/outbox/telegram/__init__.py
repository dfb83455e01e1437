"""Telegram's bot API: sending a message, and reading what people write to the bot."""
