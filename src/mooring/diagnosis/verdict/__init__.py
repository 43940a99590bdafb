"""From evidence to a verdict, and to what is worth asking next: tables and arithmetic, without an effect."""
