"""What prices and promotions do to choices, and what happens between opening an item and paying for it."""
