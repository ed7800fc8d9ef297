"""What the screen is made of. A widget shows a value it is given and posts what the user wants."""
