"""Who looks: profiles measured on real histories, populations of them, and the minds that decide."""
