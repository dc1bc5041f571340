-- Schemas of real programs that once could not be restored.

-- an extension that brings composite types
CREATE EXTENSION tablefunc;

-- an index that CREATE INDEX CONCURRENTLY has not finished: pg_dump leaves it out
CREATE TABLE doubled (a int, b text);
INSERT INTO doubled VALUES (1, 'x'), (1, 'y'), (2, 'z');
\set ON_ERROR_STOP 0
CREATE UNIQUE INDEX CONCURRENTLY unfinished ON doubled (a);
\set ON_ERROR_STOP 1

-- the default of a domain whose function was renamed
CREATE FUNCTION gen() RETURNS int LANGUAGE sql AS 'SELECT 7';
CREATE DOMAIN num AS int DEFAULT gen();
CREATE DOMAIN word AS text DEFAULT 'it''s';
CREATE TABLE numbered (id int PRIMARY KEY, n num, w word);
INSERT INTO numbered VALUES (1);
ALTER FUNCTION gen() RENAME TO make_num;

-- a parent that is younger than its partition, and a foreign key to it
CREATE TABLE ev_old (id bigint NOT NULL, day date NOT NULL, v text, CONSTRAINT ev_old_pkey PRIMARY KEY (id, day));
CREATE INDEX ev_old_v ON ev_old (v);
INSERT INTO ev_old SELECT g, '2024-01-01'::date + g, 'v' || g FROM generate_series(0, 99) g;
CREATE TABLE ev (id bigint NOT NULL, day date NOT NULL, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE INDEX ev_v ON ev (v);
ALTER TABLE ev ATTACH PARTITION ev_old FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE ref (id bigint, day date, FOREIGN KEY (id, day) REFERENCES ev);
INSERT INTO ref VALUES (1, '2024-01-02');

-- a generated column whose function finds another by the search path of those who use it
CREATE SCHEMA extensions;
CREATE EXTENSION unaccent SCHEMA extensions;
SET search_path = public, extensions;
CREATE FUNCTION slugify(v text) RETURNS text IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN RETURN lower(unaccent(v)); END $$;
CREATE TABLE titled (id int PRIMARY KEY, name text, slug text GENERATED ALWAYS AS (slugify(name)) STORED);
INSERT INTO titled VALUES (1, 'Ärger');
