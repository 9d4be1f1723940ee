"""What people hear from the people they know."""
