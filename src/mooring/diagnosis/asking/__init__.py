"""Asking for a diagnosis: questions, who carries them out, and how they are followed."""
