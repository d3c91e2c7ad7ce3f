"""Requests that no client sends: made from the service models, sent fast, judged exactly."""
