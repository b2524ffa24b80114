"""File -> Document: finds the files under the given paths and reads each one.

Every failure comes out as an `IngestError` that names the file. A new format is one module with a `parse` and one
row in `formats.FORMATS`.
"""

from epiqa.ingest.documents import (
    OpenFile,
    document_id,
    documents_in,
    location_of,
    make_document,
    open_file,
    read_document,
    read_documents,
)
from epiqa.ingest.find import LEADS_OUT, find_files, leads_out, printable
from epiqa.ingest.formats import is_read
from epiqa.ingest.parsed import normalise
from epiqa.ingest.recognition import find_tesseract
from epiqa.ingest.sandbox import Sandbox
from epiqa.ingest.scope import Root, roots_of

__all__ = [
    "LEADS_OUT",
    "OpenFile",
    "Root",
    "Sandbox",
    "document_id",
    "documents_in",
    "find_files",
    "find_tesseract",
    "is_read",
    "leads_out",
    "location_of",
    "make_document",
    "normalise",
    "open_file",
    "printable",
    "read_document",
    "read_documents",
    "roots_of",
]
