"""A small emulator of YCLIENTS for the demo, the tests and the seeded simulation.

It keeps its own truth in memory and implements YCLIENTS's HTTP and webhooks, quirks and faults included. It imports
nothing of zerkalo and shares no parsing, time or money code with it, so that one error cannot hide in both.
"""

from yclients_emulator.app import build_app
from yclients_emulator.emulator import Emulator
from yclients_emulator.hooks import DeliveryFailed, HttpSender, Sender
from yclients_emulator.salon import new_demo_emulator
from yclients_emulator.settings import EmulatorSettings

__all__ = [
    "DeliveryFailed",
    "Emulator",
    "EmulatorSettings",
    "HttpSender",
    "Sender",
    "build_app",
    "new_demo_emulator",
]
