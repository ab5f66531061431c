--
-- Ordinary changes of a schema, each below its name.  Whatever they do, main
-- records the schema that they leave.
--

-- * a function of a table
CREATE TABLE a (n integer);
CREATE FUNCTION f(a) RETURNS SETOF a LANGUAGE sql AS 'SELECT $1';
ALTER TABLE a RENAME TO b;
ALTER TABLE b ADD m integer;

-- * a table's type
CREATE TYPE y AS (n integer, t text);
CREATE TABLE a OF y;
ALTER TYPE y ADD ATTRIBUTE o integer CASCADE;
ALTER TYPE y RENAME ATTRIBUTE n TO m CASCADE;
ALTER TYPE y DROP ATTRIBUTE t CASCADE;
ALTER TYPE y ALTER ATTRIBUTE o TYPE bigint CASCADE;
ALTER TABLE a NOT OF;

-- * a view's columns
CREATE VIEW v AS SELECT 1 AS n;
ALTER VIEW v RENAME COLUMN n TO m;
CREATE OR REPLACE VIEW v AS SELECT 2 AS m;
ALTER VIEW v SET (security_barrier);

-- * body of a function
CREATE TABLE a (n integer);
CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT n FROM a; END;
ALTER TABLE a RENAME n TO m;
ALTER TABLE a RENAME TO b;

-- * collations
CREATE COLLATION c FROM "C";
CREATE TABLE a (t text COLLATE c);
CREATE INDEX ON a (t COLLATE c);
ALTER COLLATION c RENAME TO d;

-- * column types
CREATE TABLE a (n integer PRIMARY KEY, t text);
CREATE INDEX i ON a (n);
CREATE VIEW v AS SELECT t FROM a;
ALTER TABLE a ALTER n TYPE bigint;

-- * comments, grants, owners
CREATE TABLE a (n integer);
COMMENT ON TABLE a IS 'c';
COMMENT ON COLUMN a.n IS 'c';
GRANT SELECT ON a TO PUBLIC;
ALTER TABLE a OWNER TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;

-- * deep inheritance
CREATE TABLE a (n integer);
CREATE TABLE b () INHERITS (a);
CREATE TABLE c () INHERITS (b);
ALTER TABLE a ADD m integer;
ALTER TABLE a ALTER n TYPE bigint;
ALTER TABLE a RENAME n TO o;
ALTER TABLE a DROP o;
ALTER TABLE c NO INHERIT b;

-- * domains
CREATE DOMAIN d AS integer CHECK (VALUE > 0);
CREATE TABLE a (n d);
ALTER DOMAIN d RENAME TO e;
ALTER DOMAIN e SET DEFAULT 1;
ALTER DOMAIN e ADD CHECK (VALUE > 1);
DROP DOMAIN e CASCADE;

-- * drop and create
CREATE TABLE a (n integer PRIMARY KEY);
DROP TABLE a;
CREATE TABLE a (m text PRIMARY KEY);

-- * drop cascade
CREATE TABLE a (n integer PRIMARY KEY);
CREATE VIEW v AS SELECT n FROM a;
CREATE TABLE b (n integer REFERENCES a);
DROP TABLE a CASCADE;

-- * drop column
CREATE TABLE a (n integer, m integer);
CREATE INDEX ON a (m);
ALTER TABLE a DROP m;

-- * drop constraint
CREATE TABLE a (n integer CONSTRAINT k PRIMARY KEY);
ALTER TABLE a DROP CONSTRAINT k;

-- * drop many
CREATE TABLE a (n integer);
CREATE TABLE b ();
DROP TABLE a, b;

-- * drop owned
CREATE TABLE a (n serial);
ALTER TABLE a OWNER TO CURRENT_USER;
DROP TABLE a;

-- * drop schema
CREATE SCHEMA s;
CREATE TABLE s.a (n integer);
CREATE VIEW s.v AS SELECT n FROM s.a;
CREATE FUNCTION s.f(s.a) RETURNS integer LANGUAGE sql AS 'SELECT 1';
DROP SCHEMA s CASCADE;

-- * dropped type of a column
CREATE TYPE y AS ENUM ('a');
CREATE TABLE a (y y, n integer);
DROP TYPE y CASCADE;

-- * empty table
CREATE TABLE a ();

-- * foreign key to itself
CREATE TABLE a (id integer PRIMARY KEY, up integer REFERENCES a);

-- * foreign keys
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer REFERENCES a);

-- * foreign keys in a circle
CREATE TABLE a (id integer PRIMARY KEY, b integer);
CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;

-- * foreign table
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE a (n integer) SERVER s;
ALTER FOREIGN TABLE a ADD m integer;
DROP SERVER s CASCADE;

-- * functions
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f(a integer, b text[] DEFAULT '{}', OUT c integer, VARIADIC d text[] DEFAULT
    '{}') LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2';
ALTER FUNCTION f(integer) STABLE;
DROP FUNCTION f(integer);

-- * functions by name
CREATE FUNCTION f() RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE TABLE t (n integer DEFAULT f() CHECK (n > f()));
CREATE VIEW v AS SELECT f() AS n;
CREATE INDEX i ON t ((n + f()));
ALTER FUNCTION f RENAME TO g;
DROP FUNCTION g CASCADE;

-- * functions of a type
CREATE TYPE y AS ENUM ('a');
CREATE FUNCTION f(y) RETURNS y LANGUAGE sql AS 'SELECT $1';
DROP TYPE y CASCADE;

-- * identity
CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY, d integer GENERATED ALWAYS AS (id * 2)
    STORED);

-- * if not exists
CREATE TABLE a (n integer);
CREATE TABLE IF NOT EXISTS a (m integer);
CREATE INDEX IF NOT EXISTS i ON a (n);
CREATE INDEX IF NOT EXISTS i ON a (n);
DROP TABLE IF EXISTS b;

-- * in a block
DO $$
BEGIN
    CREATE TABLE a (n integer);
    EXECUTE 'DROP TABLE a';
    CREATE TABLE a (m integer);
END
$$;

-- * in one transaction
BEGIN;
CREATE TABLE a (n integer);
SAVEPOINT s;
DROP TABLE a;
ROLLBACK TO s;
ALTER TABLE a ADD m integer;
COMMIT;

-- * indexes
CREATE TABLE a (n integer, t text);
CREATE INDEX i ON a (lower(t)) WHERE n > 0;
ALTER INDEX i RENAME TO j;
ALTER INDEX j SET (fillfactor = 50);
REINDEX TABLE a;

-- * inheritance
CREATE TABLE a (n integer);
CREATE TABLE b (m integer) INHERITS (a);
ALTER TABLE a ADD o integer;
ALTER TABLE b NO INHERIT a;

-- * keys
CREATE TABLE a (id integer PRIMARY KEY, u integer UNIQUE CHECK (u > 0));

-- * materialized views
CREATE MATERIALIZED VIEW m AS SELECT 1 AS n;
CREATE UNIQUE INDEX i ON m (n);
REFRESH MATERIALIZED VIEW m;
REFRESH MATERIALIZED VIEW CONCURRENTLY m;

-- * partitioned foreign keys
CREATE TABLE p (n integer PRIMARY KEY) PARTITION BY LIST (n);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE q (n integer REFERENCES p) PARTITION BY LIST (n);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);

-- * partitions
CREATE TABLE p (n integer PRIMARY KEY, r integer) PARTITION BY RANGE (n);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p DEFAULT PARTITION BY LIST (n);
CREATE INDEX i ON p (r);
ALTER TABLE p ADD c text DEFAULT 'x';
ALTER TABLE p DROP r;
CREATE TABLE p3 (n integer NOT NULL, c text);
ALTER TABLE p2 ATTACH PARTITION p3 FOR VALUES IN (11);
ALTER TABLE p DETACH PARTITION p1;

-- * procedures, aggregates
CREATE PROCEDURE p(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer);
ALTER AGGREGATE g(integer) RENAME TO h;
DROP AGGREGATE h(integer);

-- * rename column
CREATE TABLE a (n integer PRIMARY KEY);
CREATE VIEW v AS SELECT n FROM a;
CREATE TABLE b (n integer REFERENCES a);
ALTER TABLE a RENAME n TO m;

-- * rename index, view, constraint
CREATE TABLE a (n integer CONSTRAINT k PRIMARY KEY);
ALTER TABLE a RENAME CONSTRAINT k TO l;
ALTER INDEX l RENAME TO m;

-- * rename schema
CREATE SCHEMA s;
CREATE TABLE s.a (n integer PRIMARY KEY);
CREATE INDEX ON s.a (n);
CREATE VIEW s.v AS SELECT n FROM s.a;
CREATE TABLE b (n integer REFERENCES s.a);
CREATE PROCEDURE s.p(n integer) LANGUAGE sql AS '';
ALTER SCHEMA s RENAME TO r;

-- * rename table
CREATE TABLE a (n integer PRIMARY KEY);
CREATE VIEW v AS SELECT n FROM a;
CREATE TABLE b (n integer REFERENCES a);
ALTER TABLE a RENAME TO c;

-- * schema with elements
CREATE SCHEMA s
    CREATE TABLE t (id integer PRIMARY KEY)
    CREATE VIEW v AS SELECT id FROM t
    CREATE INDEX i ON t (id);

-- * sequence by name
CREATE TABLE a (id serial);
ALTER SEQUENCE a_id_seq RENAME TO q;

-- * sequences, types, triggers, rules
CREATE SEQUENCE q;
CREATE TYPE y AS ENUM ('a');
CREATE DOMAIN d AS text;
CREATE TABLE a (n integer DEFAULT nextval('q'), y y, d d);
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION t();
CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING;
CREATE STATISTICS s ON n, y FROM a;
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON a USING (true);

-- * set schema
CREATE SCHEMA s;
CREATE TABLE a (n integer PRIMARY KEY);
CREATE VIEW v AS SELECT n FROM a;
CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER TABLE a SET SCHEMA s;
ALTER FUNCTION f SET SCHEMA s;

-- * swap names
CREATE TABLE a (n integer PRIMARY KEY);
CREATE TABLE b (t text);
ALTER TABLE a RENAME TO c;
ALTER TABLE b RENAME TO a;
ALTER TABLE c RENAME TO b;

-- * table as
CREATE TABLE a AS SELECT 1 AS one;
SELECT 2 AS two INTO b;

-- * table like
CREATE TABLE a (id serial PRIMARY KEY);
CREATE TABLE b (LIKE a INCLUDING ALL);

-- * table of a type
CREATE TYPE y AS (n integer, t text);
CREATE TABLE a OF y;

-- * temporary
CREATE TEMP TABLE a (n integer PRIMARY KEY);
CREATE TEMP VIEW v AS SELECT n FROM a;
DROP TABLE a CASCADE;

-- * there and back
CREATE TABLE a (n integer PRIMARY KEY);
ALTER TABLE a RENAME TO b;
ALTER TABLE b RENAME TO a;

-- * types by name
CREATE TYPE y AS ENUM ('a', 'b');
CREATE TABLE t (y y DEFAULT 'a' CHECK (y <> 'b'));
CREATE FUNCTION f(y, y[]) RETURNS y LANGUAGE sql AS 'SELECT $1';
CREATE VIEW v AS SELECT 'a'::y AS y;
CREATE INDEX ON t (y) WHERE y = 'a';
ALTER TYPE y RENAME TO z;
ALTER TYPE z RENAME VALUE 'a' TO 'c';
CREATE SCHEMA s;
ALTER TYPE z SET SCHEMA s;

-- * unlogged
CREATE UNLOGGED TABLE a (n integer);
ALTER TABLE a SET LOGGED;

-- * views
CREATE TABLE a (n integer, m integer);
CREATE VIEW v AS SELECT n FROM a;
CREATE VIEW w AS SELECT n FROM v;
CREATE OR REPLACE VIEW v AS SELECT n, m FROM a;
ALTER VIEW v ALTER n SET DEFAULT 1;
ALTER VIEW w RENAME TO x;
