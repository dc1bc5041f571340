package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/oracle"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/database/sqlserver"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/database"
)

// Engines are the supported databases, by the scheme of their URLs. A new engine needs one line
// here.
var Engines = db.Drivers{
	"mariadb":    mysql.Driver{},
	"mysql":      mysql.Driver{},
	"oracle":     oracle.Driver{},
	"postgres":   postgres.Driver{},
	"postgresql": postgres.Driver{},
	"sqlite":     sqlite.Driver{},
	"sqlserver":  sqlserver.Driver{},
}

// OpenSource opens a database for reading.
func OpenSource(ctx context.Context, at db.Location, o db.SourceOptions) (db.Source, error) {
	driver, err := Engines.For(at)
	if err != nil {
		return nil, catalog.Misuse("%w", err)
	}
	return driver.OpenSource(ctx, at, o)
}

// OpenTarget opens a database to be filled.
func OpenTarget(ctx context.Context, at db.Location, o db.TargetOptions) (db.Target, error) {
	driver, err := Engines.For(at)
	if err != nil {
		return nil, catalog.Misuse("%w", err)
	}
	return driver.OpenTarget(ctx, at, o)
}

// AskerOf is the engine of a database with which a person's own SQL runs.
func AskerOf(at db.Location) (db.Asker, error) {
	driver, err := Engines.For(at)
	if err != nil {
		return nil, catalog.Misuse("%w", err)
	}
	asker, ok := driver.(db.Asker)
	if !ok {
		return nil, catalog.Misuse("%s: a drill takes PostgreSQL, MySQL, MariaDB and SQLite alone", at)
	}
	return asker, nil
}

// SQLiteAt returns the location of a SQLite file.
func SQLiteAt(path string) (db.Location, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return db.Location{}, fmt.Errorf("find %s: %w", path, err)
	}
	return db.ParseLocation("sqlite:" + absolute)
}

// ReadLocation reads a file that holds the URL of a database.
func ReadLocation(path string) (db.Location, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return db.Location{}, fmt.Errorf("read the URL of a database: %w", err)
	}
	at, err := db.ParseLocation(strings.TrimSpace(string(text)))
	if err != nil {
		return db.Location{}, fmt.Errorf("read the URL of a database from %s: %w: %w", path, ErrInvalid, err)
	}
	return at, nil
}

func (b *Database) open(_ context.Context, opts OpenOptions) (source.Source, error) {
	at, err := b.location()
	if err != nil {
		return nil, err
	}
	if opts.Login != nil {
		if at, err = opts.Login(at); err != nil {
			return nil, err
		}
	}
	driver, err := Engines.For(at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return sourceOf(database.New(database.Options{
		Driver: driver, At: at, Jobs: max(opts.Parallel, databaseJobs), StateDir: opts.StateDir,
		Observer: opts.Observer,
	}))
}

// databaseJobs is how many tables are read at once.
const databaseJobs = 4

func (b *Database) location() (db.Location, error) {
	if b.URL == "" {
		return ReadLocation(b.URLFile)
	}
	at, err := db.ParseLocation(b.URL)
	if err != nil {
		return at, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return at, nil
}
