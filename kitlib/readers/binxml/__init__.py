"""Binary XML by columns: blocks of chunks in, rows of table `events` out, no Python object a record.

Read in this order:

1. `layout`: the format's structure as data, and the idea of reading it by columns.
2. `block`: many chunks in one array of bytes; where their records are.
3. `templates`, `definitions`: the XML with numbered holes that records fill; known again anywhere.
4. `instances`: of which template a record is, and where its values are.
5. `distinct`, `values`: equal values found without looking at each; typed values to text.
6. `system`, `payloads`: the columns of the event's ``System`` part; the dicts of column ``data``.
7. `table`, `searching`, `columns`: columns to a table; chunks that need not be read; the whole way.

It reads what is sound and usual, and says what it left: damaged chunks, and records with binary
XML inside of binary XML. `kitlib.readers.evtx` has those read by the engines.
"""
