"""A canary: one small file of its own goes the whole way on a live account.

What the tests of this project hold against doubles is held here against the account
itself: that a file is copied once, that its name is not copied again, that a refused
record can be seen, that a stream sees what came, that a task publishes it.

Nothing of the project is touched. The canary has a prefix of its own in the bucket, and
in the database a schema of its own with a table, a stream, a pipe and a task, which are
dropped at the end; what a run that was killed left behind, the next one clears.
"""
