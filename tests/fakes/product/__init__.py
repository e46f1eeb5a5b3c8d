"""What the contract servers have in common: a desk that counts and misbehaves as told, guards, and Registry V2.

A product's own folder beside this one holds its server, which follows the product's documentation and refuses what
the product would refuse. Its module `server` has `SERVERS`: name -> opens a server over an estate.
"""
