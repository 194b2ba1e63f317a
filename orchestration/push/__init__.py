"""The endpoint to which data providers push their stream: keys, HTTP, waiting batches, the server's process.

Not here: what a batch is and how it lands (assets/bronze/push_batch.py, provider_push.py).
"""
