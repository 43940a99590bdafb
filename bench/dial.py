def measure(lab): return []
