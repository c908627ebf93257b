"""Second persons and lookers-on: approvals, operators, audit, access records."""
