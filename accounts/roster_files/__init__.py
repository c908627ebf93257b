"""Files that offices make: reading spreadsheets and text tables so that nothing arrives otherwise than it was typed.

``sheets`` says what a table is; ``texts`` reads CSV in the encoding that is proven or chosen, ``workbooks`` reads xlsx
behind strict bounds; ``columns`` finds the columns by their headers; ``persons`` reads one row as a person; ``form``
makes the empty form. No database, no clock, no settings.
"""
