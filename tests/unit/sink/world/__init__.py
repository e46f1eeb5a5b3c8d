"""A world around the sink that nothing in it can tell from a real one, except that a seed decides all that happens.

`truth` is what the registries hold and held; `upstream` reads it, as the loading stages do; `log` stands for Kafka;
`owners` work its partitions with the sink's real rules; `scheduler` lets each go on by one step at a time, and stop
anywhere; `told` and `promises` judge what came out; `story` is the plot of one run.
"""
