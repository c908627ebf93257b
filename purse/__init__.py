"""What a card is: its money, its rules, its bytes and the careful way they are written.

Plain Python on the standard library and ``cryptography``. No Django, no clock, no settings: the server and the till
at the counter run the very same functions.
"""
