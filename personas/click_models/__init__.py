"""Click models of search: what people click in a page of results, fitted to a log and drawn again.

A model says how likely a person looks at a result (examination) and, having looked, clicks it (attractiveness). Where
few results repeat, attractiveness is a logistic function of features instead of a number per document; every model
takes either. `registry` has them by name.
"""
