"""Who may come in.

guard       stands before everything: host, origin, session or token, CSRF, security headers
principals  who somebody is, and what that lets them do
passwords   the console's password, hashed
sessions    signed cookies
tokens      API tokens, hashed
attempts    how often somebody may try
"""
