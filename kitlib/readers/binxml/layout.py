"""The structure of binary XML in event logs, as data, and the idea of reading it by columns.

An event is XML, but it is not stored as text. It is stored as a *template*, which is the XML with
numbered holes, and an *instance* of it: the values for the holes. A chunk (64 KiB) holds every
template once, inside the first record that uses it; the records after it point there::

    record   2a2a0000 size id time | fragment instance ............................ | size
    fragment 0f 01 01 00
    instance 0c ?? template-id definition-offset [definition] count (size type 0)*count values
    definition next-offset guid size | fragment element end

So a log is a table that was written row by row. A template is a row type. ``count (size type 0)``
describes a row's values, and as the values follow each other without a gap, the running sum of
the sizes says where each begins. With the rows of all chunks side by side in one array of bytes
this is a handful of NumPy calls for all of them: gather the counts, gather the descriptors,
``cumsum``; then gather, for example, the value of hole 3 of every record.

The event's own fields (``EventData``) are again an instance of a template, and stand as one
value (type `BINXML`) of the outer instance. The same steps read them, one level further in.

Names of elements and attributes stand once in a chunk, too, and are pointed to by their offset::

    name     next-offset hash length characters 00 00

All numbers are little-endian, all offsets count from the chunk's first byte. Text is UTF-16.

This file knows the format's constants. It reads nothing. Sources: MS-EVEN6 2.2.12 and libyal,
"Windows XML Event Log (EVTX)"; the sizes of types were compared with real logs.
"""

from __future__ import annotations

from typing import Final

# --- records and instances: bytes from the place where each begins --------------------------

RECORD_BODY: Final = 24
"""A record's fragment begins behind its header."""
RECORD_TAIL: Final = 4
"""A record's size is repeated at its end."""
FRAGMENT: Final = 0x0001_010F
"""``0f 01 01 00``, a fragment's header, as a number; an inner one is sometimes left out."""
FRAGMENT_SIZE: Final = 4
INSTANCE: Final = 0x0C
INSTANCE_ID: Final = 2
INSTANCE_DEFINITION: Final = 6
"""Where an instance names its definition's offset."""
INSTANCE_SIZE: Final = 10
DEFINITION_GUID: Final = 4
DEFINITION_LENGTH: Final = 20
DEFINITION_BODY: Final = 24
NAME_LENGTH: Final = 6
NAME_TEXT: Final = 8

# --- tokens of a template's XML; 0x40 is set where something of the kind follows -------------

MORE: Final = 0x40
END: Final = 0x00
OPEN: Final = 0x01
CLOSE: Final = 0x02
CLOSE_EMPTY: Final = 0x03
CLOSE_ELEMENT: Final = 0x04
VALUE: Final = 0x05
ATTRIBUTE: Final = 0x06
CDATA: Final = 0x07
CHARACTER: Final = 0x08
ENTITY: Final = 0x09
HOLE: Final = 0x0D
OPTIONAL_HOLE: Final = 0x0E

ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
DEEPEST: Final = 32
"""Elements of a template nest no deeper than this, or it is left to the other engines."""

# --- types of values ------------------------------------------------------------------------

NULL: Final = 0x00
STRING: Final = 0x01
ANSI: Final = 0x02
INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64 = range(0x03, 0x0B)
FLOAT: Final = 0x0B
DOUBLE: Final = 0x0C
BOOLEAN: Final = 0x0D
BINARY: Final = 0x0E
GUID: Final = 0x0F
SIZE: Final = 0x10
FILETIME: Final = 0x11
SYSTEMTIME: Final = 0x12
SID: Final = 0x13
HEX32: Final = 0x14
HEX64: Final = 0x15
BINXML: Final = 0x21
STRINGS: Final = 0x81

WHOLE_SIZE: Final = {UINT8: 1, UINT16: 2, UINT32: 4, UINT64: 8, HEX32: 4, HEX64: 8}
"""Types whose bytes are the number itself, and how many they are."""
