"""einbatch beside what people would use instead, on the same work, in one run."""
