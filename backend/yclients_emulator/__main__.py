"""`python -m yclients_emulator`."""

from yclients_emulator.cli import main

if __name__ == "__main__":
    main()
