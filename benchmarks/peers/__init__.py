"""The work as it is written without einbatch."""
