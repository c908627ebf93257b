"""What `ecardctl` does before and around Django. Standard library only: nothing is installed yet."""
