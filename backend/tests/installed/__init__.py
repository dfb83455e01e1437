"""The wheel, installed where no clone is: run as `make installed`, since it needs a second virtual environment."""
