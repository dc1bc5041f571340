package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// engine is a server and how it is spoken to; %s in url is the name of a database.
type engine struct {
	name, url, client string
	start             func(b *bench) error
	plan              func(b *bench, e *engine)
}

func (e *engine) empty(name string) string {
	if e.name == "mariadb" {
		return e.client + " -e 'DROP DATABASE IF EXISTS " + name + "; CREATE DATABASE " + name + "'"
	}
	return e.client + " postgres -c 'DROP DATABASE IF EXISTS " + name + "' -c 'CREATE DATABASE " + name + " TEMPLATE template0' -c CHECKPOINT"
}

// postgresPrograms is the folder of the newest server that is installed.
func postgresPrograms() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1]) + "/"
}

func engines(dir string) []*engine {
	bin := postgresPrograms()
	return []*engine{
		{
			name: "postgres", url: "postgres://postgres@/%s?host=" + dir + "&port=5499", client: bin + "psql -qX -v ON_ERROR_STOP=1 -h " + dir + " -p 5499 -U postgres",
			start: func(b *bench) error { return b.startPostgres(bin) }, plan: planPostgres,
		},
		{
			name: "mariadb", url: "mysql://root@/%s?socket=" + dir + "/mariadb/s.sock", client: "mariadb --no-defaults -uroot --socket=" + dir + "/mariadb/s.sock",
			start: (*bench).startMariaDB, plan: planMariaDB,
		},
	}
}

func planPostgres(b *bench, e *engine) {
	bin, at := postgresPrograms(), " -h "+b.dir+" -p 5499 -U postgres "
	dump := func(name string) string {
		return bin + "pg_dump" + at + "-Fd -j2 -Z1 -f " + b.dir + "/" + name + ".dump " + name
	}
	restore := func(name string) string {
		return bin + "pg_restore" + at + "-j2 -d back " + b.dir + "/" + name + ".dump"
	}
	gone := func(name string) string { return "rm -rf " + b.dir + "/" + name + ".dump" }
	b.both(e, "large", dump, restore, gone)
	b.add(&step{engine: e.name, what: "large: COPY by two clients to nowhere", beside: "large: dump", script: copyAll(e)})
	b.file(e, "pg_restore -j2", restore)
	tables := ""
	for _, s := range shapes() {
		tables += "test -e " + b.dir + "/" + s.name + ".csv || " + e.client + " large -c 'COPY " + s.name + " TO STDOUT (FORMAT csv)' > " + b.dir + "/" + s.name + ".csv; "
	}
	b.add(&step{engine: e.name, what: "sqlite3 .import of CSV files", before: "rm -f " + b.dir + "/csv.db; " + tables, script: b.importCSV()})
	b.both(e, "small", dump, restore, gone)
}

// copyAll reads all rows as a backup does, and does nothing with them: no backup that reads all is
// faster.
func copyAll(e *engine) string {
	var tables []string
	for _, s := range shapes() {
		tables = append(tables, s.name)
	}
	return "echo " + strings.Join(tables, " ") + " | xargs -P2 -n1 sh -c '" + e.client + ` large -c "COPY $0 TO STDOUT (FORMAT binary)" > /dev/null'`
}

// importCSV makes with sqlite3 what an export makes.
func (b *bench) importCSV() string {
	sql := `CREATE TABLE narrow (id INTEGER PRIMARY KEY, ref BIGINT, at DATETIME); CREATE TABLE plain (id INTEGER PRIMARY KEY, name VARCHAR(60), amount DECIMAL(12,2), score DOUBLE, made TIMESTAMP, note TEXT);
		CREATE TABLE texts (id INTEGER PRIMARY KEY, body TEXT); CREATE TABLE documents (id INTEGER PRIMARY KEY, doc "JSON TEXT"); CREATE TABLE bytes (id "UUID TEXT" PRIMARY KEY, body BLOB);
		CREATE TABLE wide (id INTEGER PRIMARY KEY`
	for c := range 20 {
		sql += fmt.Sprintf(", n%d BIGINT, t%d VARCHAR(30)", c, c)
	}
	script := "sqlite3 " + b.dir + "/csv.db '" + sql + ")'"
	for _, s := range shapes() {
		script += " '.import --csv " + b.dir + "/" + s.name + ".csv " + s.name + "'"
	}
	return script + " 'CREATE INDEX plain_name ON plain (name)' 'CREATE INDEX narrow_ref ON narrow (ref)'"
}

func planMariaDB(b *bench, e *engine) {
	program := "mariadb-dump" + strings.TrimPrefix(e.client, "mariadb") + " --single-transaction --quick "
	dump := func(name string) string { return program + name + " | zstd -q1 > " + b.dir + "/" + name + ".zst" }
	restore := func(name string) string { return "zstd -dc " + b.dir + "/" + name + ".zst | " + e.client + " back" }
	gone := func(name string) string { return "rm -f " + b.dir + "/" + name + ".zst" }
	b.both(e, "large", dump, restore, gone)
	b.add(&step{engine: e.name, what: "mariadb-dump to a file", script: program + "large > " + b.dir + "/dump.sql"})
	b.file(e, "mariadb reads the dump", func(string) string { return e.client + " back < " + b.dir + "/dump.sql" })
	b.both(e, "small", dump, restore, gone)
}

// both adds a backup and a restore of a database, each after the native program's.
func (b *bench) both(e *engine, name string, dump, restore, gone func(string) string) {
	packstone := b.settings(e, name)
	out, back := name+": dump", name+": native restore"
	fresh := "rm -rf " + b.dir + "/repository-" + e.name + name + " && " + packstone + "init"
	b.add(&step{engine: e.name, what: out, before: gone(name), script: dump(name)})
	b.add(&step{engine: e.name, what: name + ": backup, first", beside: out, before: fresh, script: packstone + "backup all"})
	b.add(&step{engine: e.name, what: name + ": backup, unchanged", beside: out, script: packstone + "backup all"})
	if name == "large" {
		b.add(&step{engine: e.name, what: name + ": backup, 1 % changed", beside: out, before: e.client + " large < " + b.dir + "/changed.sql", script: packstone + "backup all"})
		b.add(&step{engine: e.name, what: "dump, after the change", hidden: true, before: gone(name), script: dump(name)})
	}
	b.add(&step{engine: e.name, what: back, before: e.empty("back"), script: restore(name)})
	b.add(&step{engine: e.name, what: name + ": restore --to", beside: back, before: e.empty("back"), script: packstone + "restore latest:db --to '" + fmt.Sprintf(e.url, "back") + "'"})
}

// file adds the way out to a SQLite file and the way in from it.
func (b *bench) file(e *engine, beside string, restore func(string) string) {
	out := b.dir + "/" + e.name + ".sqlite"
	b.add(&step{engine: e.name, what: "large: db export", beside: map[string]string{"postgres": "sqlite3 .import of CSV files", "mariadb": "mariadb-dump to a file"}[e.name], before: "rm -f " + out, script: b.program + " db export --from '" + fmt.Sprintf(e.url, "large") + "' " + out})
	b.add(&step{engine: e.name, what: beside, before: e.empty("back"), script: restore("large")})
	b.add(&step{engine: e.name, what: "large: db import", beside: beside, before: e.empty("back"), script: b.program + " db import " + out + " --to '" + fmt.Sprintf(e.url, "back") + "'"})
}

// settings writes the settings for one database, and gives the beginning of a command.
func (b *bench) settings(e *engine, name string) string {
	file := b.dir + "/" + e.name + name + ".yaml"
	text := fmt.Sprintf("version: 1\nrepository: %s/repository-%s%s\nsources:\n  db: {type: database, url: %q}\nsets:\n  all: {sources: [db]}\n", b.dir, e.name, name, fmt.Sprintf(e.url, name))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return "HOME=" + b.dir + "/home-" + e.name + name + " PACKSTONE_CONFIG=" + file + " " + b.program + " "
}

func (b *bench) startPostgres(bin string) error {
	data := b.dir + "/postgres"
	b.stop("su postgres -c '" + bin + "pg_ctl -D " + data + " -m fast -w stop'")
	return b.shell("mkdir " + data + " && chown -R postgres " + b.dir + " && su postgres -c '" + bin + "initdb -D " + data + " -U postgres -A trust -E UTF8 --locale=C.UTF-8' && " +
		"su postgres -c '" + bin + "pg_ctl -D " + data + " -l " + data + "/log -w -o \"-p 5499 -c listen_addresses= -c unix_socket_directories=" + b.dir + " -c max_wal_size=4GB -c shared_buffers=512MB\" start'")
}

func (b *bench) startMariaDB() error {
	data := b.dir + "/mariadb"
	err := b.shell("mkdir " + data + " && chown mysql " + data + " && mariadb-install-db --no-defaults --datadir=" + data + " --auth-root-authentication-method=normal --user=mysql")
	if err != nil {
		return err
	}
	server := exec.Command("mariadbd", "--no-defaults", "--datadir="+data, "--socket="+data+"/s.sock", "--skip-networking", "--user=mysql",
		"--pid-file="+data+"/pid", "--log-error="+data+"/log", "--max-allowed-packet=64M", "--innodb-buffer-pool-size=512M", "--group-concat-max-len=1048576")
	if err := server.Start(); err != nil {
		return err
	}
	b.stops = append(b.stops, func() { err := errors.Join(server.Process.Signal(syscall.SIGTERM), server.Wait()); _ = err })
	return b.shell("for i in $(seq 100); do mariadb --no-defaults -uroot --socket=" + data + "/s.sock -e 'SELECT 1' && exit 0; sleep 0.2; done; exit 1")
}

func (b *bench) stop(script string) { b.stops = append(b.stops, func() { _ = b.shell(script) }) }
