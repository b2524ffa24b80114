"""File -> Document: finds the files under the given paths and reads each one.

Every failure comes out as an `IngestError` that names the file. A new format is one module with a `parse` and one
row in `formats.FORMATS`.
"""

from epiqa.ingest.documents import document_id, location_of, make_document, read_document, read_documents
from epiqa.ingest.find import find_files, printable
from epiqa.ingest.parsed import normalise
from epiqa.ingest.sandbox import Sandbox

__all__ = [
    "Sandbox",
    "document_id",
    "find_files",
    "location_of",
    "make_document",
    "normalise",
    "printable",
    "read_document",
    "read_documents",
]
