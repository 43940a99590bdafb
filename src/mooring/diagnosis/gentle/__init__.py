"""How gently servers are probed: one budget for all applications and processes, and what it remembers."""
