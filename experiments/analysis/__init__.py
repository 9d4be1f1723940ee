"""What a log says: metrics, comparisons and reports."""
