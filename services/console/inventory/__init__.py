"""The questions that API and pages put to the store.

cursor     pages that hold while data changes
registries names and ids of the registries that are asked about
images     images and tags, filtered, sorted, by pages
image      one image: its tags now and before, its indexes, where else it is
scans      scans, their failures
numbers    sums and growth
"""
