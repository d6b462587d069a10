"""What an account knows of a project's files, tasks, runs and credits, kept here.

An account forgets: copies after 14 days, tasks and statements after 7. So what its
functions tell is read again and again, a little further back each time than it was
read, and written into tables of the same names as those of the warehouse here.
"""
