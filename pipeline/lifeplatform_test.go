package pipeline_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/source"
	databasesource "github.com/packstone/packstone/pipeline/source/database"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/source/settings"
)

// smallPlatform is a platform: a database, a lake, files and an instance folder. About 1 % of it
// changes each day, and it does not grow.
type smallPlatform struct {
	t    testing.TB
	root string
	r    *rand.Rand
	conn *sqlite3.Conn

	firstRow, nextRow int // ids in the database
	firstDay, nextDay int // partitions of the lake
}

const (
	platformRows  = 4000
	platformDays  = 100 // partitions
	platformFiles = 400
	partitionSize = 32 << 10
)

// newPlatform makes a platform below a directory.
func newPlatform(t testing.TB, root string) *smallPlatform {
	p := &smallPlatform{t: t, root: root, r: rand.New(rand.NewPCG(1, 1))}
	for _, name := range []string{"lake", "files", "api"} {
		p.must(os.Mkdir(p.at(name), 0o755))
	}
	conn, err := sqlite3.Open(p.database())
	p.must(err)
	p.conn = conn
	p.must(conn.Exec(`CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT)`))
	p.insert(platformRows)
	for range platformDays {
		p.partition()
	}
	for i := range platformFiles {
		p.write(p.file(i), 2000+p.r.IntN(12_000))
	}
	for i := range 8 {
		p.write(fmt.Sprintf("api/setting%d.cfg", i), 2000)
	}
	return p
}

func (p *smallPlatform) at(name string) string       { return filepath.Join(p.root, name) }
func (p *smallPlatform) database() string            { return p.at("metadata.sqlite") }
func (p *smallPlatform) file(i int) string           { return fmt.Sprintf("files/%02d/file%03d.bin", i%20, i) }
func (p *smallPlatform) close()                      { p.must(p.conn.Close()) }
func (p *smallPlatform) part(day int) string         { return fmt.Sprintf("lake/day=%05d/part-0.bin", day) }
func (p *smallPlatform) sql(format string, a ...any) { p.must(p.conn.Exec(fmt.Sprintf(format, a...))) }

func (p *smallPlatform) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// write gives a file other content, as of now.
func (p *smallPlatform) write(name string, size int) {
	path := p.at(name)
	p.must(os.MkdirAll(filepath.Dir(path), 0o755))
	p.must(os.WriteFile(path, randomBytes(size, p.r.Uint64()), 0o644))
	at := time.Now().Add(-time.Hour)
	p.must(os.Chtimes(path, at, at))
}

// partition adds a day to the lake.
func (p *smallPlatform) partition() {
	p.write(p.part(p.nextDay), partitionSize)
	p.nextDay++
}

// insert adds rows to the database.
func (p *smallPlatform) insert(rows int) {
	p.sql("BEGIN")
	for range rows {
		p.sql("INSERT INTO runs VALUES (%d, 'run %d', '%x')", p.nextRow, p.nextRow, randomBytes(100, p.r.Uint64()))
		p.nextRow++
	}
	p.sql("COMMIT")
}

// change is what happens in a day.
func (p *smallPlatform) change() {
	p.sql("DELETE FROM runs WHERE id < %d", p.firstRow+platformRows/200)
	p.firstRow += platformRows / 200
	p.insert(platformRows / 200)
	for range platformRows / 200 {
		id := p.firstRow + p.r.IntN(p.nextRow-p.firstRow)
		p.sql("UPDATE runs SET body = '%x' WHERE id = %d", randomBytes(100, p.r.Uint64()), id)
	}
	p.must(os.RemoveAll(filepath.Dir(p.at(p.part(p.firstDay)))))
	p.firstDay++
	p.partition()
	for range platformFiles / 100 {
		p.write(p.file(p.r.IntN(platformFiles)), 2000+p.r.IntN(12_000))
	}
	if p.r.IntN(7) == 0 {
		p.write(fmt.Sprintf("api/setting%d.cfg", p.r.IntN(8)), 2000)
	}
}

// jobs are its sources. state is where the one of the database remembers its tables.
func (p *smallPlatform) jobs(state string) (jobs []backup.Job) {
	add := func(name, kind, location string, open func() (source.Source, error)) {
		jobs = append(jobs, backup.Job{Name: name, Type: kind, Location: location, Open: func(context.Context) (source.Source, error) { return open() }})
	}
	add("metadata", "database", p.database(), func() (source.Source, error) {
		at, err := database.ParseLocation("sqlite:" + p.database())
		if err != nil {
			return nil, err
		}
		return databasesource.New(databasesource.Options{Driver: sqlite.Driver{}, At: at, StateDir: state})
	})
	for _, name := range []string{"files", "lake"} {
		add(name, name, p.at(name), func() (source.Source, error) {
			return files.New(files.Options{Roots: []string{p.at(name)}, Directory: true})
		})
	}
	add("settings", "settings", p.at("api"), func() (source.Source, error) {
		return settings.New(settings.Options{Components: map[string]string{"api": p.at("api")}})
	})
	return jobs
}

// state is what a platform held at one moment.
type state struct {
	sums     map[string][sha256.Size]byte // by source and path
	database string                       // a copy
}

// remember returns what the platform holds now. The copy of the database has a name of its own below
// dir.
func (p *smallPlatform) remember(dir string) state {
	p.t.Helper()
	now := state{sums: map[string][sha256.Size]byte{}, database: filepath.Join(dir, fmt.Sprintf("%d.sqlite", p.r.Uint64()))}
	content, err := os.ReadFile(p.database())
	p.must(err)
	p.must(os.WriteFile(now.database, content, 0o600))
	p.must(filepath.WalkDir(p.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || path == p.database() {
			return err
		}
		content, err := os.ReadFile(path)
		now.sums[sourcePath(strings.TrimPrefix(path, p.root+"/"))] = sha256.Sum256(content)
		return err
	}))
	return now
}

// sourcePath returns the source and path by which snapshots know a file of the platform.
func sourcePath(name string) string {
	top, rest, _ := strings.Cut(name, "/")
	if top == "api" {
		return "settings:" + name
	}
	return top + ":" + rest
}
