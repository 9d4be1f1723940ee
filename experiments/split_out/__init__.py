"""The training part of a data set as files, for models that are trained elsewhere."""
