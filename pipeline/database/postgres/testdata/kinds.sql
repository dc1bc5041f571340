-- One object of every kind that comes back.
CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'what users see';
CREATE COLLATION app.posix (provider = libc, lc_collate = 'C', lc_ctype = 'C');
CREATE COLLATION app.german (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION app.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
COMMENT ON COLLATION app.nocase IS 'letters alone';
CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TYPE app.pair AS (a int, b text COLLATE app.german);
CREATE TYPE app.textrange AS RANGE (SUBTYPE = text, COLLATION = app.posix);
CREATE FUNCTION app.diff(float8, float8) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT $1 - $2';
CREATE TYPE app.floatspan AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = app.diff);
CREATE DOMAIN app.small AS int DEFAULT 3 NOT NULL CONSTRAINT low CHECK (VALUE > 0) CONSTRAINT high CHECK (VALUE < 100);
CREATE DOMAIN app.word AS text COLLATE app.posix;
COMMENT ON CONSTRAINT low ON DOMAIN app.small IS 'not nothing';
CREATE FUNCTION app.near(app.pair, app.pair) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT abs(($1).a - ($2).a) < 2';
CREATE OPERATOR app.=~= (FUNCTION = app.near, LEFTARG = app.pair, RIGHTARG = app.pair, COMMUTATOR = OPERATOR(app.=~=), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE FUNCTION app.to_pair(int) RETURNS app.pair IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1, NULL)::app.pair';
CREATE CAST (int AS app.pair) WITH FUNCTION app.to_pair(int) AS ASSIGNMENT;
CREATE CAST (app.mood AS varchar) WITH INOUT AS IMPLICIT;
CREATE TEXT SEARCH DICTIONARY app.plain (TEMPLATE = simple, stopwords = 'english');
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = english);
ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR word, asciiword WITH app.plain, english_stem;
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = safe, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0');
CREATE AGGREGATE app.largest(int) (SFUNC = int4larger, STYPE = int, SORTOP = OPERATOR(pg_catalog.>));
CREATE AGGREGATE app.median(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final, FINALFUNC_MODIFY = READ_WRITE);
CREATE PROCEDURE app.nothing(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END';
CREATE TABLE app.typed OF app.pair (a WITH OPTIONS NOT NULL, PRIMARY KEY (a));
CREATE TABLE app.t (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m app.mood, p app.pair, r app.textrange, s app.small, n text COLLATE app.nocase,
	w app.word, f app.floatspan, body text, found tsvector GENERATED ALWAYS AS (to_tsvector('app.search', body)) STORED
);
INSERT INTO app.t (m, p, s, n, body) SELECT 'sad', ROW(i, 'x')::app.pair, 5, 'N' || i, 'the words of ' || i FROM generate_series(1, 20) i;
INSERT INTO app.typed VALUES (1, 'one');
CREATE INDEX found ON app.t USING gin (found);
CREATE STATISTICS app.both (dependencies, ndistinct) ON m, s FROM app.t;
COMMENT ON STATISTICS app.both IS 'together';
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.t FOR UPDATE USING (id > 0) WITH CHECK (id < 1000);
CREATE VIEW app.v WITH (security_barrier = true) AS SELECT id, p OPERATOR(app.=~=) p AS same FROM app.t;
CREATE RULE into_v AS ON INSERT TO app.v DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW app.mv AS SELECT app.total(id) AS n FROM app.t;
CREATE FUNCTION app.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'DROP VIEW') EXECUTE FUNCTION app.event();
ALTER EVENT TRIGGER watch DISABLE;
CREATE PUBLICATION portion FOR TABLE app.t (id, body) WHERE (id > 1) WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION whole FOR TABLES IN SCHEMA app;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;
