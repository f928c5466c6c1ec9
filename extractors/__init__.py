"""Networks whose features quality and utility are measured on, one file each."""
