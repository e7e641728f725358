"""A real SMTP server with a page: a mail is on disk before its sender hears 250, and is found again after a restart."""
