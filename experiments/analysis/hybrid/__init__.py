"""Estimates of a hybrid audience: everybody by the behavioural mind, a sample by the language mind, too."""
