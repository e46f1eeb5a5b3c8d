"""Connections to registries: kept in the compacted topic `connection.changed`, followed by every service.

topic     where they lie; built by composition roots
records   key and value of one record
hosts     when two hosts are one
snapshot  the connections as of some offset
rules     what a new, an edited, a deleted connection is (pure)
reader    reads the topic, committed records only
view      follows the topic and answers for any offset
writer    changes the topic, one transaction a change
secrets   encrypts what the records must not tell
"""
