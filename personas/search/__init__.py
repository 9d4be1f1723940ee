"""What people look for, how they say it, and when they say it anew."""
