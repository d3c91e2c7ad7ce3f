"""Background work: sweeps that finish what a crash or a client left behind."""
