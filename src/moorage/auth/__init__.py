"""Who is calling and what they may do: signatures, registry tokens, authorisation."""
