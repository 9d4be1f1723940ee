"""The page of an experiment that was run under several circumstances: do its runs agree?"""
