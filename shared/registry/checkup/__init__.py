"""The staged check of a connection ("Test it"): it changes nothing, and asks little.

course       the stages, one after another
result       what a stage came to
address      the host's name and port
certificate  what the host shows for TLS
requests     the stages that ask the registry
"""
