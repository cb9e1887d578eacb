-- Once, when the database is made. Spindle itself does not need it; it is there for retrieval.
CREATE EXTENSION IF NOT EXISTS vector;
