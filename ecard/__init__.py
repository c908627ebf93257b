"""The Django project: settings, urls, checks, and the commands that set a machine up.

This file stays empty of imports: `ecard.localdb` and `ecard.ctl` run before Django is installed.
"""
