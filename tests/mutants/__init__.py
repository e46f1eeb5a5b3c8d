"""A check of mutations: which changes of a rule no test notices. Not part of the suite: `make mutants`."""
