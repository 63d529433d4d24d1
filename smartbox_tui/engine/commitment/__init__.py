"""What an archive says of what it has stored: commitment that it is asked for, or the object itself read back."""
