"""The system's servers as plain processes of this machine: nothing here needs containers, and nothing outside imports it."""
