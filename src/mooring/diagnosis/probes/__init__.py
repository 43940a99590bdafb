"""The effects: a name is looked up, a pair of source and address goes through a protocol, an exit is looked at."""
