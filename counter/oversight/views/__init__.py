"""The screens of second persons and lookers-on."""
