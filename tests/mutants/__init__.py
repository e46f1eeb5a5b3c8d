"""A check of mutations: what tests do not see when a rule is changed. Not part of the suite: `make mutants`."""
