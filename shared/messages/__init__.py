"""One pydantic model per topic, the topics themselves, and the codec. Names and shapes only; no sockets."""
