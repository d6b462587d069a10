"""The Snowflake side: one module for each kind of resource, plain SQL from typed code.

`sql` is the one way by which names and values get into statements; `session` the port
to an account; `manifest` says what a project wants there; `provider` looks and does.
"""
