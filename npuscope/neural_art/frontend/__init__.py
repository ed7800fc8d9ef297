"""What ST's front end makes of a model before it is compiled: the format of each tensor."""
