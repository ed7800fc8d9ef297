"""Text, its roles and its fit into cells."""
