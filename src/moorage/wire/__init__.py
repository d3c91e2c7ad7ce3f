"""Parse, call, render. No decision is taken here."""
