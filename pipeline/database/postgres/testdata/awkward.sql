-- An awkward schema: types, names, constraints and values that copies tend to lose.
CREATE EXTENSION citext;
CREATE SCHEMA "Second Schema";
CREATE TYPE public.level AS ENUM ('low', 'it''s', '1', 'INT');
CREATE TYPE "Second Schema".place AS (street text COLLATE "C", number integer);
CREATE DOMAIN public.percent AS numeric(5,2) DEFAULT 0 NOT NULL CONSTRAINT in_range CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE TYPE public.span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE FUNCTION public.double_it(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
CREATE PROCEDURE public.nothing() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE AGGREGATE public.total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
CREATE SEQUENCE public.lonely INCREMENT BY -7 MINVALUE -1000 MAXVALUE -1 START -1 CACHE 5 CYCLE;
SELECT nextval('public.lonely'); SELECT nextval('public.lonely');
CREATE TABLE public.numbers (id bigserial PRIMARY KEY, small smallint, n numeric, wide numeric(60,20), rounded numeric(4,-2), cents money,
  single real, double double precision, yes boolean, share public.percent);
INSERT INTO public.numbers (small, n, wide, rounded, cents, single, double, yes, share) VALUES
  (-32768, '-0.000', 1234567890123456789012345678901234567890.12345678901234567890, 12345, '-1234.56', 'NaN', '-0', true, 100),
  (32767, 'NaN', -0.00000000000000000001, -50, 0, '-Infinity', 1e-310, false, 0.01),
  (NULL, '1e100', NULL, NULL, NULL, '-0', 0.1, NULL, 33.33), (0, '-Infinity', 0, 0, 92233720368547758.07, 16777217, 1e22, NULL, 5), (1, 10000, 10000.0001, 0, 1, 0, 0, true, 1);
CREATE TABLE public.words (id integer GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3) PRIMARY KEY, fixed char(4), name varchar(10) DEFAULT 'it''s', body text COLLATE "C",
  ci citext UNIQUE, raw bytea, key uuid DEFAULT gen_random_uuid(), bits bit(5), many bit varying, how public.level DEFAULT 'low', doc xml, j json, jb jsonb);
INSERT INTO public.words (fixed, name, body, ci, raw, key, bits, many, how, doc, j, jb) VALUES
  ('a', '', E'tab\t nl\n cr\r back\\slash \\N \\.', 'Upper', '\x', 'AAAAAAAA-0000-0000-0000-000000000001', '00101', '', 'INT', '<a>é</a>', '{"b":1.10, "a":[], "b":2}', '{"b": 1.10, "a": []}'),
  ('long', NULL, '', NULL, '\x005c0aff', NULL, NULL, '1', '1', NULL, ' null ', 'null'), (NULL, '007', '漢😀', '1e5', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE public.times (id integer PRIMARY KEY, d date, t time, tz timetz, ts timestamp(3), tsz timestamptz, i interval);
INSERT INTO public.times VALUES (1, '0001-01-01 BC', '24:00:00', '12:30:00.5-03:30:15', '0001-12-31 23:59:59.999 BC', 'infinity', '-1 mon +3 days -00:00:01.5'),
  (2, 'infinity', '00:00:00.000001', '23:59:59+15', '-infinity', '1969-12-31 23:59:59.999999+00', '100 years'), (3, '99999-12-31', NULL, NULL, '294276-01-01', '0099-02-28 BC', '0'), (4, '2024-02-29', '01:02:03.40', '00:00+00', '1900-01-01 00:00:00.1', '2000-02-29 23:00:00-02', NULL);
CREATE TABLE public.exotic (id integer PRIMARY KEY, nested integer[][], texts text[], address "Second Schema".place, ip inet, during tstzrange, loose public.span, several nummultirange, at point, search tsvector, lsn pg_lsn, o oid);
INSERT INTO public.exotic VALUES (1, '[2:3][0:1]={{1,2},{NULL,4}}', '{"a,b","NULL",NULL,"q\"\\"}', ROW('x, "y"', 3), '10.1.2.3/8', '[2026-01-01 00:00+00,)', '(1.5,2]', '{[1,2),(5,)}', '(-0,1e-5)', '''a'':1A', 'FF/0', 4000000000), (2, '{}', NULL, ROW(NULL, NULL), NULL, 'empty', NULL, '{}', NULL, NULL, NULL, 0);
CREATE TABLE "Second Schema"."Order By" ("Select" integer, "a.b" text, "quote""d" text NOT NULL DEFAULT 'd', "ABC" integer, "abc" integer, PRIMARY KEY ("a.b", "Select"), CHECK ("ABC" > 0 OR "ABC" IS NULL));
INSERT INTO "Second Schema"."Order By" VALUES (1, 'x', 'y', NULL, 2), (1, 'X', '', 3, 4);
CREATE TABLE public.loose (a integer, b text); INSERT INTO public.loose VALUES (1, 'twice'), (1, 'twice'), (NULL, NULL);
CREATE TABLE public.nothing_in_it (); INSERT INTO public.nothing_in_it DEFAULT VALUES; INSERT INTO public.nothing_in_it DEFAULT VALUES;
CREATE TABLE public.computed (a integer, gone text, b integer GENERATED ALWAYS AS (a + 1) STORED, c integer GENERATED ALWAYS AS (public.double_it(a)) STORED, made timestamptz DEFAULT now(), e integer DEFAULT nextval('public.lonely'), word text DEFAULT upper('x' || 'y'));
INSERT INTO public.computed (a, made) VALUES (1, '2026-01-01+00'), (NULL, NULL); ALTER TABLE public.computed DROP COLUMN gone; ALTER TABLE public.computed ADD COLUMN late integer NOT NULL DEFAULT 4;
CREATE TABLE public.boss (id integer PRIMARY KEY, code text NOT NULL, region text NOT NULL, above integer REFERENCES public.boss ON DELETE SET NULL, best integer, UNIQUE (region, code));
CREATE TABLE public.worker (id integer PRIMARY KEY, boss integer NOT NULL, code text, region text, n integer CHECK (n <> 13),
  CONSTRAINT to_boss FOREIGN KEY (boss) REFERENCES public.boss DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (code, region) REFERENCES public.boss (code, region) MATCH FULL ON UPDATE CASCADE ON DELETE CASCADE);
ALTER TABLE public.boss ADD CONSTRAINT best_worker FOREIGN KEY (best) REFERENCES public.worker DEFERRABLE;
BEGIN; INSERT INTO public.boss VALUES (1, 'a', 'eu', NULL, NULL), (2, 'b', 'us', 1, NULL); INSERT INTO public.worker VALUES (7, 1, 'a', 'eu', 1), (8, 2, NULL, NULL, NULL); UPDATE public.boss SET best = 7 WHERE id = 1; COMMIT;
ALTER TABLE public.worker ADD CONSTRAINT later CHECK (n < 1000) NOT VALID;
CREATE UNIQUE INDEX worker_n ON public.worker (n) WHERE n > 0; CREATE INDEX worker_lower ON public.worker (lower(code) DESC NULLS LAST, (n + 1)); CREATE INDEX words_gin ON public.words USING gin (jb); CREATE INDEX worker_inc ON public.worker (boss) INCLUDE (n);
CREATE TABLE public.apart (a integer, b integer, UNIQUE NULLS NOT DISTINCT (a, b)); INSERT INTO public.apart VALUES (1, NULL), (NULL, NULL);
CREATE TABLE public.bookings (during int4range, EXCLUDE USING gist (during WITH &&)); INSERT INTO public.bookings VALUES ('[1,5)'), ('[5,6)');
CREATE TABLE public.measured (day date NOT NULL, v numeric(6,3), PRIMARY KEY (day)) PARTITION BY RANGE (day);
CREATE TABLE public.measured_a PARTITION OF public.measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); CREATE TABLE public.measured_rest PARTITION OF public.measured DEFAULT;
CREATE INDEX measured_v ON public.measured (v); INSERT INTO public.measured SELECT d, 0.5 FROM generate_series('2025-12-20'::date, '2026-01-10', '1 day') d;
CREATE TABLE public.base (a integer NOT NULL DEFAULT 3, CONSTRAINT a_small CHECK (a < 100)); CREATE TABLE public.derived (b integer) INHERITS (public.base); INSERT INTO public.base VALUES (1); INSERT INTO public.derived VALUES (2, 3);
CREATE VIEW public.workers AS SELECT w.id, b.code FROM public.worker w JOIN public.boss b ON b.id = w.boss; CREATE VIEW public.over WITH (security_barrier) AS SELECT count(*) AS n FROM public.workers;
CREATE VIEW public.grouped AS SELECT b.id, b.code, count(*) AS n FROM public.boss b GROUP BY b.id;
CREATE MATERIALIZED VIEW public.counted AS SELECT count(*) AS n FROM public.numbers; CREATE UNIQUE INDEX counted_n ON public.counted (n);
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := coalesce(NEW.n, 0); RETURN NEW; END $$;
CREATE TRIGGER worker_touch BEFORE INSERT OR UPDATE OF n ON public.worker FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION public.touch(); CREATE TRIGGER silent AFTER DELETE ON public.worker FOR EACH STATEMENT EXECUTE FUNCTION public.touch(); ALTER TABLE public.worker DISABLE TRIGGER silent;
CREATE RULE no_delete AS ON DELETE TO public.loose DO INSTEAD NOTHING; ALTER TABLE public.loose ENABLE ROW LEVEL SECURITY; CREATE POLICY visible ON public.loose FOR SELECT TO PUBLIC USING (a IS NOT NULL);
CREATE STATISTICS public.worker_stats (dependencies) ON boss, code FROM public.worker; ALTER TABLE public.words ALTER COLUMN body SET STORAGE EXTERNAL; ALTER TABLE public.words ALTER COLUMN name SET STATISTICS 50; ALTER TABLE public.loose REPLICA IDENTITY FULL;
GRANT SELECT, INSERT ON public.boss TO PUBLIC; GRANT SELECT (id) ON public.worker TO PUBLIC; REVOKE EXECUTE ON FUNCTION public.double_it(integer) FROM PUBLIC; GRANT USAGE ON SCHEMA "Second Schema" TO PUBLIC;
COMMENT ON TABLE public.numbers IS 'it''s a \ comment'; COMMENT ON COLUMN public.numbers.n IS 'any size'; COMMENT ON CONSTRAINT to_boss ON public.worker IS 'deferred'; COMMENT ON INDEX public.worker_n IS 'partial'; COMMENT ON TRIGGER worker_touch ON public.worker IS 't'; COMMENT ON FUNCTION public.double_it(integer) IS 'f'; COMMENT ON DOMAIN public.percent IS 'd'; COMMENT ON CONSTRAINT in_range ON DOMAIN public.percent IS 'c'; COMMENT ON SCHEMA "Second Schema" IS 's'; COMMENT ON VIEW public.workers IS 'v'; COMMENT ON TYPE public.level IS 'e'; COMMENT ON SEQUENCE public.lonely IS 'q';
CREATE PUBLICATION changes FOR TABLE ONLY public.boss WITH (publish = 'insert, delete');
SELECT lo_from_bytea(70001, decode(repeat('00ff41', 2000), 'hex')); SELECT lo_create(70002);
CREATE TABLE public.big (id bigint PRIMARY KEY, body text, raw bytea); INSERT INTO public.big SELECT g, repeat(md5(g::text), g * 500), decode(repeat(md5(g::text), g * 200), 'hex') FROM generate_series(1, 30) g;
