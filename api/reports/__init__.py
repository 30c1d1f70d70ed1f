"""From a report to standard documents: receipts, FHIR and DICOM. Pure functions, deterministic to the byte."""
