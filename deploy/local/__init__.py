"""The system's servers as plain processes of one machine: nothing here needs containers."""
