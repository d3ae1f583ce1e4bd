DROP INDEX phrase_vector IF EXISTS
