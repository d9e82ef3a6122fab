-- Quickwit's metastore: a database of its own beside the fleet's. Applied once, on an empty volume; Quickwit makes the tables itself.
CREATE ROLE quickwit LOGIN PASSWORD 'quickwit';
CREATE DATABASE quickwit OWNER quickwit;
