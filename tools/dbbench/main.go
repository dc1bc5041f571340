// Command dbbench measures packstone's database verbs beside what the engines and SQLite bring along, on the same rows in
// one run, so that the ratios hold whatever the machine does:
//
//	dbbench [-rows 1000000] [-rounds 3] [-packstone PROGRAM] [-engines postgres,mariadb]
//
// It starts servers of its own in a temporary directory and prints the median of every step: seconds, rows a second, and the
// most memory that the client took. packstone reads back and compares whatever it writes; the others do not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	var b bench
	flag.IntVar(&b.rows, "rows", 1_000_000, "rows of the table")
	flag.IntVar(&b.rounds, "rounds", 3, "how often every step is taken")
	flag.StringVar(&b.program, "packstone", "packstone", "the program")
	engines := flag.String("engines", "postgres,mariadb", "which engines")
	flag.Parse()
	if err := b.run(strings.Split(*engines, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "dbbench:", err)
		os.Exit(1)
	}
}

type bench struct {
	rows, rounds int
	program, dir string
	stops        []func()
	steps        []*step
}

// step is something that is measured.
type step struct {
	engine, what, script string
	before               string // not measured
	ours                 bool
	took                 []time.Duration
	memory               int64 // bytes
}

// engine is a server and how it is spoken to.
type engine struct {
	url, client, dump string
	// fill makes the table; %d is the number of rows.
	fill, csv string
	start     func(b *bench) error
}

func (b *bench) run(names []string) (err error) {
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "dbbench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer func() {
		for _, stop := range b.stops {
			stop()
		}
	}()
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		e, ok := engines(b.dir)[name]
		if !ok {
			return fmt.Errorf("%s: want postgres or mariadb", name)
		}
		if err := b.prepare(name, e); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	for round := range b.rounds {
		for _, s := range b.steps {
			fmt.Fprintf(os.Stderr, "round %d: %s %s\n", round+1, s.engine, s.what)
			if err := b.take(s); err != nil {
				return fmt.Errorf("%s, %s: %w", s.engine, s.what, err)
			}
		}
	}
	return b.print()
}

// table is what is copied: a key, short and long text, exact and floating numbers, a time, and a secondary index.
const (
	postgresTable = `CREATE TABLE m (id bigint PRIMARY KEY, name varchar(60) NOT NULL, amount numeric(12,2), score double precision, made timestamp, note text);
		INSERT INTO m SELECT i, 'name ' || i, i / 7.0, sqrt(i), timestamp '2020-01-01' + i * interval '1 second', repeat(md5(i::text), 3) FROM generate_series(1, %d) i;
		CREATE INDEX m_name ON m (name); ANALYZE m`
	mariadbTable = `CREATE TABLE m (id BIGINT PRIMARY KEY, name VARCHAR(60) NOT NULL, amount DECIMAL(12,2), score DOUBLE, made DATETIME, note TEXT, KEY m_name (name)) CHARACTER SET utf8mb4;
		INSERT INTO m SELECT seq, CONCAT('name ', seq), seq / 7, SQRT(seq), '2020-01-01' + INTERVAL seq SECOND, REPEAT(MD5(seq), 3) FROM seq_1_to_%d; ANALYZE TABLE m`
	sqliteTable = `CREATE TABLE m (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount NUMERIC, score REAL, made TEXT, note TEXT)`
)

func engines(dir string) map[string]engine {
	bin := ""
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		bin = filepath.Dir(found[len(found)-1]) + "/"
	}
	postgres := "-h " + dir + " -p 5499 -U postgres"
	mariadb := "--no-defaults -uroot --socket=" + dir + "/mariadb/s.sock"
	return map[string]engine{
		"postgres": {
			url:    "postgres://postgres@/%s?host=" + dir + "&port=5499",
			client: bin + "psql -qX -v ON_ERROR_STOP=1 " + postgres, dump: bin + "pg_dump " + postgres,
			fill: postgresTable, csv: bin + "psql -qX " + postgres + " -c 'COPY m TO STDOUT (FORMAT csv)' a",
			start: func(b *bench) error { return b.startPostgres(bin) },
		},
		"mariadb": {
			url:    "mysql://root@/%s?socket=" + dir + "/mariadb/s.sock",
			client: "mariadb " + mariadb, dump: "mariadb-dump " + mariadb + " --single-transaction --quick",
			fill: mariadbTable, start: (*bench).startMariaDB,
		},
	}
}

func (b *bench) startPostgres(bin string) error {
	data := b.dir + "/postgres"
	return errors.Join(b.shell("mkdir "+data+" && chown -R postgres "+b.dir+" && su postgres -c '"+bin+"initdb -D "+data+" -U postgres -A trust -E UTF8 --locale=C.UTF-8' && "+
		"su postgres -c '"+bin+"pg_ctl -D "+data+" -l "+data+"/log -w -o \"-p 5499 -c listen_addresses= -c unix_socket_directories="+b.dir+" -c max_wal_size=2GB\" start'"),
		b.stop("su postgres -c '"+bin+"pg_ctl -D "+data+" -m fast -w stop'"))
}

func (b *bench) startMariaDB() error {
	data := b.dir + "/mariadb"
	err := b.shell("mkdir " + data + " && chown mysql " + data + " && mariadb-install-db --no-defaults --datadir=" + data + " --auth-root-authentication-method=normal --user=mysql")
	if err != nil {
		return err
	}
	server := exec.Command("mariadbd", "--no-defaults", "--datadir="+data, "--socket="+data+"/s.sock", "--skip-networking", "--user=mysql",
		"--pid-file="+data+"/pid", "--log-error="+data+"/log", "--max-allowed-packet=64M", "--innodb-buffer-pool-size=512M")
	if err := server.Start(); err != nil {
		return err
	}
	b.stops = append(b.stops, func() { server.Process.Signal(syscall.SIGTERM); server.Wait() })
	return b.shell("for i in $(seq 100); do mariadb --no-defaults -uroot --socket=" + data + "/s.sock -e 'SELECT 1' && exit 0; sleep 0.2; done; exit 1")
}

func (b *bench) stop(script string) error {
	b.stops = append(b.stops, func() { b.shell(script) })
	return nil
}

// shell runs what is not measured.
func (b *bench) shell(script string) error {
	out, err := exec.Command("bash", "-c", "set -o pipefail; "+script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}

// prepare starts a server, makes the table and plans the steps.
func (b *bench) prepare(name string, e engine) error {
	if err := e.start(b); err != nil {
		return err
	}
	fill := fmt.Sprintf(e.fill, b.rows)
	if err := errors.Join(b.shell(e.client+" -e 'CREATE DATABASE a' || "+e.client+" -c 'CREATE DATABASE a'"), os.WriteFile(b.dir+"/fill.sql", []byte(fill), 0o644)); err != nil {
		return err
	}
	if err := b.shell(e.client + " a < " + b.dir + "/fill.sql"); err != nil {
		return err
	}
	empty := e.client + " -e 'DROP DATABASE IF EXISTS b; CREATE DATABASE b'"
	if name == "postgres" {
		empty = e.client + " -c 'DROP DATABASE IF EXISTS b' -c 'CREATE DATABASE b' && " + e.client + " -c CHECKPOINT"
	}
	export := fmt.Sprintf("%s db export --from '"+e.url+"' %s/out.sqlite", b.program, "a", b.dir)
	fresh := "rm -f " + b.dir + "/out.sqlite"
	b.add(name, "dump program to a file", e.dump+" a > "+b.dir+"/dump.sql", "", false)
	b.add(name, "packstone db export", export, fresh, true)
	if e.csv != "" {
		b.add(name, "sqlite3 .import of a CSV file", "sqlite3 "+b.dir+"/csv.db '"+sqliteTable+"' '.import --csv "+b.dir+"/m.csv m' 'CREATE INDEX m_name ON m (name)'",
			"rm -f "+b.dir+"/csv.db; test -e "+b.dir+"/m.csv || "+e.csv+" > "+b.dir+"/m.csv", false)
	}
	b.add(name, "client reads the dump", e.client+" b < "+b.dir+"/dump.sql", empty, false)
	b.add(name, "packstone db import", fmt.Sprintf("%s db import %s/out.sqlite --to '"+e.url+"'", b.program, b.dir, "b"), empty, true)
	b.add(name, "dump program | client", e.dump+" a | "+e.client+" b", empty, false)
	return nil
}

func (b *bench) add(engine, what, script, before string, ours bool) {
	b.steps = append(b.steps, &step{engine: engine, what: what, script: script, before: before, ours: ours})
}

// take runs a step once.
func (b *bench) take(s *step) error {
	if s.before != "" {
		if err := b.shell(s.before); err != nil {
			return err
		}
	}
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+s.script)
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CACHE_HOME="+b.dir+"/cache")
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begun)
	// packstone ends with 3 where SQLite cannot hold everything exactly.
	if exit := (&exec.ExitError{}); errors.As(err, &exit) && s.ours && exit.ExitCode() == 3 {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	s.took = append(s.took, took)
	// Of the shell and what it waited for: the largest.
	s.memory = max(s.memory, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	return nil
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "engine\tstep\tseconds\trows/s\tpeak MiB\t\n")
	for _, s := range b.steps {
		slices.Sort(s.took)
		took := s.took[len(s.took)/2]
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.0f\t%d\t\n", s.engine, s.what, took.Seconds(), float64(b.rows)/took.Seconds(), s.memory>>20)
	}
	return w.Flush()
}
