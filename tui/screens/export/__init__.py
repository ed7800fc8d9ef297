"""Write the edited model."""
