"""When people come back: gaps between sessions, measured on real histories and estimated with shrinkage."""
