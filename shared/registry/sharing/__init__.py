"""How the processes share a registry's budget: no allocator; each computes the same division from one log.

Every process beats on one topic of one partition: what it wants, and how far it has read. `ledger` folds the log into
states, the same for all who have read as far; `division` divides a registry's limit among those that have work;
`allowance` says what of it a process may use, so that all together never pass the limit. Pure: records, positions and
times are given.
"""
