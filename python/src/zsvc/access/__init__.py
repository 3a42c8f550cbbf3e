"""Who is let in, by a file that is followed."""
