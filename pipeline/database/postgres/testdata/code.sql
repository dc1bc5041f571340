-- Code of an unprivileged owner in every place where PostgreSQL may run it. Each call says in the server's log where it
-- was, as whom, and for which program.
CREATE ROLE mallory LOGIN;
CREATE ROLE reader LOGIN BYPASSRLS IN ROLE pg_read_all_data;
SELECT format('GRANT ALL ON DATABASE %I TO mallory', current_database()) \gexec
CREATE EXTENSION btree_gist; -- what needs a superuser, who trusted too much
CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere; GRANT USAGE ON FOREIGN SERVER nowhere TO mallory;

SET SESSION AUTHORIZATION mallory;
CREATE SCHEMA mallory; SET search_path = mallory;
CREATE FUNCTION mark(place text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN RAISE LOG 'mark [%] by % for %', place, current_user, current_setting('application_name'); RETURN 1; END $$;
CREATE FUNCTION mark(place text, any_row anyelement) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT mallory.mark(place)';
CREATE FUNCTION marks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark(TG_ARGV[0]); RETURN NEW; END $$;
CREATE FUNCTION marks_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark('event trigger'); END $$;

CREATE TABLE index_expression (id int PRIMARY KEY, a int); CREATE INDEX ON index_expression ((a + mark('index expression')));
CREATE TABLE index_predicate (id int PRIMARY KEY, a int); CREATE INDEX ON index_predicate (a) WHERE a > mark('index predicate');
CREATE TABLE statistic (id int PRIMARY KEY, a int); CREATE STATISTICS statistic_s ON (a + mark('statistics')), id FROM statistic;
CREATE TABLE policed (id int PRIMARY KEY, a int); ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON policed TO PUBLIC USING (a > mark('policy'));
CREATE TABLE checked (id int PRIMARY KEY, a int CHECK (a > mark('check')));
CREATE DOMAIN kept AS int DEFAULT mark('domain default') CHECK (VALUE >= mark('domain check'));
CREATE TABLE domained (id kept PRIMARY KEY, a kept[]);
CREATE TABLE computed (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + mark('generated')) STORED NOT NULL, h int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE defaulted (id int PRIMARY KEY, a int DEFAULT mark('default')); INSERT INTO defaulted VALUES (1); ALTER TABLE defaulted ADD b int DEFAULT mark('added default');
CREATE TABLE triggered (id int PRIMARY KEY, a int);
CREATE TRIGGER each_row BEFORE INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION marks('row trigger');
CREATE TRIGGER each_statement BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON triggered FOR EACH STATEMENT EXECUTE FUNCTION marks('statement trigger');
CREATE VIEW seen AS SELECT id, mark('view') AS m FROM checked;
CREATE MATERIALIZED VIEW kept_view AS SELECT id, mark('materialized view', id) AS m FROM checked;
CREATE TABLE ruled (id int PRIMARY KEY); CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT mark('rule'); CREATE RULE u AS ON UPDATE TO ruled DO INSTEAD SELECT mark('rule');
CREATE TABLE excluded (id int PRIMARY KEY, a int, EXCLUDE USING gist ((a + mark('exclusion')) WITH =) WHERE (a > mark('exclusion predicate')));
CREATE TABLE parted (id int, a int) PARTITION BY RANGE ((id + mark('partition key')));
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (100); CREATE INDEX ON parted_1 ((a + mark('index of a partition')));
CREATE TABLE parted_2 PARTITION OF parted DEFAULT PARTITION BY LIST ((a + mark('inner partition key'))); CREATE TABLE parted_3 PARTITION OF parted_2 DEFAULT;
CREATE TABLE parent (id int PRIMARY KEY, a int); CREATE TABLE child (CHECK (a > mark('check of a child'))) INHERITS (parent); CREATE INDEX ON child ((a + mark('index of a child')));
CREATE TABLE referring (id int PRIMARY KEY, p int REFERENCES checked);
CREATE FOREIGN TABLE abroad (id int CHECK (id > mark('check of a foreign table')), a int DEFAULT mark('default of a foreign table')) SERVER nowhere;
CREATE SEQUENCE counted START 5; CREATE TABLE serial (id serial PRIMARY KEY, a int DEFAULT nextval('counted'));

-- Types, with casts that are called in the place of output, and operators.
CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, m mood); CREATE TYPE span AS RANGE (subtype = kept);
CREATE FUNCTION mood_text(mood) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''cast'' || mallory.mark(''cast of an enum to text'')';
CREATE FUNCTION pair_text(pair) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''cast'' || mallory.mark(''cast of a composite to text'')';
CREATE FUNCTION span_text(span) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''cast'' || mallory.mark(''cast of a range to text'')';
CREATE FUNCTION mood_json(mood) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT to_json(mallory.mark(''cast of an enum to json''))';
CREATE CAST (mood AS text) WITH FUNCTION mood_text AS IMPLICIT; CREATE CAST (pair AS text) WITH FUNCTION pair_text AS IMPLICIT;
CREATE CAST (span AS text) WITH FUNCTION span_text AS IMPLICIT; CREATE CAST (mood AS json) WITH FUNCTION mood_json;
CREATE TABLE typed (id mood PRIMARY KEY, p pair, s span, l mood[]); INSERT INTO typed VALUES ('happy', ROW(1, 'sad'), '[1,5)', '{sad,happy}');
ALTER TABLE typed ADD missing mood DEFAULT 'sad'; -- its value lies in pg_attribute
CREATE TABLE of_pair OF pair; CREATE INDEX ON of_pair ((m::text));
CREATE FUNCTION pair_less(pair, pair) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT mallory.mark(''operator'') = 1';
CREATE OPERATOR < (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_less);
CREATE FUNCTION adds(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT mallory.mark(''aggregate'')'; CREATE AGGREGATE total(int) (SFUNC = adds, STYPE = int);
CREATE TABLE compared (id int PRIMARY KEY, p pair); CREATE INDEX ON compared ((p < ROW(1, 'sad')::pair)); CREATE UNIQUE INDEX ON compared (p);

RESET SESSION AUTHORIZATION; SET search_path = mallory;
-- An operator class and a base type, which only a superuser makes, of functions that remain the owner's.
CREATE FUNCTION int_compare(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark('operator class'); RETURN btint4cmp($1, $2); END $$;
CREATE OPERATOR CLASS marked_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 int_compare(int, int);
CREATE TYPE based; CREATE FUNCTION based_in(cstring) RETURNS based IMMUTABLE STRICT LANGUAGE internal AS 'int4in';
CREATE FUNCTION based_out(based) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out';
CREATE TYPE based (INPUT = based_in, OUTPUT = based_out, LIKE = int4);
CREATE CAST (based AS int) WITHOUT FUNCTION;
CREATE FUNCTION based_send(based) RETURNS bytea IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark('send function'); RETURN '\x00'; END $$;
CREATE FUNCTION based_less(based, based) RETURNS bool IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark('default operator'); RETURN $1::int < $2::int; END $$;
CREATE FUNCTION based_equal(based, based) RETURNS bool IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN RETURN $1::int = $2::int; END $$;
CREATE FUNCTION based_compare(based, based) RETURNS int IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.mark('default operator class'); RETURN btint4cmp($1::int, $2::int); END $$;
ALTER TYPE based SET (SEND = based_send);
CREATE OPERATOR < (LEFTARG = based, RIGHTARG = based, FUNCTION = based_less); CREATE OPERATOR = (LEFTARG = based, RIGHTARG = based, FUNCTION = based_equal);
CREATE OPERATOR CLASS based_ops DEFAULT FOR TYPE based USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 based_compare(based, based);
CREATE FUNCTION point_text(point) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''cast'' || mallory.mark(''cast of a system type to text'')';
CREATE CAST (point AS text) WITH FUNCTION point_text AS IMPLICIT;
CREATE EVENT TRIGGER on_ddl ON ddl_command_start EXECUTE FUNCTION marks_ddl();
SELECT format('ALTER FUNCTION %s OWNER TO mallory', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'mallory'::regnamespace AND prokind = 'f' \gexec
SELECT format('ALTER DATABASE %I SET constraint_exclusion = on', current_database()) \gexec
SELECT format('ALTER DATABASE %I SET search_path = mallory, public, pg_catalog', current_database()) \gexec
SELECT format('ALTER DATABASE %I SET %s', current_database(), setting) FROM unnest(ARRAY['row_security = on', 'quote_all_identifiers = on', 'bytea_output = escape',
  'extra_float_digits = -3', 'datestyle = ''German''', 'intervalstyle = sql_standard', 'timezone = ''Asia/Kolkata''', 'xmlbinary = hex', 'array_nulls = off', 'lc_monetary = ''C''']) setting \gexec

SET SESSION AUTHORIZATION mallory; SET search_path = mallory, pg_catalog;
CREATE TABLE classed (id int, a int); CREATE INDEX ON classed (a marked_ops); CREATE INDEX ON classed (id) WHERE a > mark('predicate beside an operator class');
CREATE TABLE listed (id int) PARTITION BY RANGE (id marked_ops);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES FROM (1) TO (5); CREATE TABLE listed_2 PARTITION OF listed FOR VALUES FROM (5) TO (9);
CREATE TABLE bases (id based PRIMARY KEY, p point);
INSERT INTO bases VALUES ('3', '(1,2)'), ('2', NULL); INSERT INTO classed VALUES (2, 3), (1, 2); INSERT INTO listed VALUES (1), (7);
INSERT INTO index_expression VALUES (2, 5), (1, 6); INSERT INTO checked VALUES (1, 5); INSERT INTO computed VALUES (2, 7), (1, 8);
INSERT INTO parted VALUES (5, 5), (200, 6), (-1, 7); INSERT INTO domained VALUES (4, '{1,2}'); INSERT INTO compared VALUES (1, ROW(1, 'sad'));
INSERT INTO child VALUES (1, 5); INSERT INTO parent VALUES (1, 5); INSERT INTO policed VALUES (1, 0); INSERT INTO referring VALUES (1, 1);
INSERT INTO serial VALUES (DEFAULT, DEFAULT); SELECT setval('counted', 42, false);

-- What a name without its schema would find before what the server has.
CREATE FUNCTION format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT ''shadow'' || mallory.mark(''a shadow of format'')';
CREATE FUNCTION quote_literal(name) RETURNS text LANGUAGE sql AS 'SELECT ''shadow'' || mallory.mark(''a shadow of quote_literal'')';
CREATE FUNCTION octet_length(name) RETURNS int LANGUAGE sql AS 'SELECT mallory.mark(''a shadow of octet_length'')';
CREATE FUNCTION name_is(name, text) RETURNS bool LANGUAGE sql AS 'SELECT mallory.mark(''a shadow of <>'') = 1'; CREATE OPERATOR <> (LEFTARG = name, RIGHTARG = text, FUNCTION = name_is);
CREATE FUNCTION name_and(name, text) RETURNS text LANGUAGE sql AS 'SELECT ''shadow'' || mallory.mark(''a shadow of ||'')'; CREATE OPERATOR || (LEFTARG = name, RIGHTARG = text, FUNCTION = name_and);
CREATE FUNCTION oid_is(oid, int) RETURNS bool LANGUAGE sql AS 'SELECT mallory.mark(''a shadow of >='') = 1'; CREATE OPERATOR >= (LEFTARG = oid, RIGHTARG = int, FUNCTION = oid_is);
COMMENT ON TABLE typed IS 'it has ''quotes'''; COMMENT ON COLUMN typed.p IS 'a pair'; COMMENT ON TYPE mood IS 'a mood';
COMMENT ON CAST (mood AS text) IS 'calls'; COMMENT ON POLICY p ON policed IS 'hides'; COMMENT ON OPERATOR < (pair, pair) IS 'less'; COMMENT ON STATISTICS statistic_s IS 'counts';
