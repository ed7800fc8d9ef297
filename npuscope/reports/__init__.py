"""What leaves the program: reports, tables, drawings."""
