package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// source reads a file within one read transaction. Writers may go on in WAL
// mode; otherwise they wait until it ends.
type source struct {
	at       database.Location
	conn     *sqlite3.Conn
	mu       sync.Mutex
	copied   string // a temporary copy, removed at the end
	schema   *database.Schema
	readings map[string]*reading // by table ID
	pages    *btree.Reader       // nil: SQLite alone reads the file
}

// OpenSource opens a file that an export made, or any other.
func (Driver) OpenSource(ctx context.Context, at database.Location, opts database.SourceOptions) (database.Source, error) {
	conn, err := open(ctx, at.Reveal(), readOnly)
	if err != nil {
		return nil, at.Wrap("open", translate(err))
	}
	s := &source{at: at, conn: conn}
	err = guard(func() error {
		if err := s.copyAside(ctx, opts.Scratch); err != nil {
			return err
		}
		if err := s.begin(opts.Filter); err != nil {
			return err
		}
		return s.putAside(opts.Aside)
	})
	if err != nil {
		return nil, errors.Join(at.Wrap("read the schema of", translate(err)), s.Close())
	}
	return s, nil
}

// copyAside copies a file that is not in WAL mode by SQLite's backup, which
// holds writers up for as long as it takes to read the file once, and goes on
// with the copy.
func (s *source) copyAside(ctx context.Context, scratch string) error {
	mode := ""
	err := query(s.conn, "PRAGMA journal_mode", func(row *sqlite3.Stmt) error {
		mode = row.ColumnText(0)
		return nil
	})
	if err != nil || mode == "wal" || scratch == "" {
		return err
	}
	f, err := os.CreateTemp(scratch, "packstone-*.sqlite")
	if err != nil {
		return err
	}
	s.copied = f.Name()
	if err := f.Close(); err != nil {
		return err
	}
	if err := s.conn.Backup("main", s.copied); err != nil {
		return fmt.Errorf("copy to %s: %w", scratch, err)
	}
	copied, err := open(ctx, s.copied, readOnly)
	if err != nil {
		return err
	}
	err = s.conn.Close()
	s.conn = copied
	return err
}

func (s *source) begin(filter database.Filter) error {
	if err := s.conn.Exec("BEGIN"); err != nil {
		return err
	}
	ours, err := hasTable(s.conn, reservedPrefix+"meta")
	if err != nil {
		return err
	}
	if ours {
		return s.readOwn(filter)
	}
	s.schema, s.readings, err = inspect(s.conn, filter, true, nil)
	return err
}

// putAside makes all readings put long cells into files.
func (s *source) putAside(dir string) error {
	aside, err := newAsides(s.conn, dir)
	for _, r := range s.readings {
		r.aside = aside
	}
	return err
}

// readOwn takes the schema that the export stored.
func (s *source) readOwn(filter database.Filter) error {
	meta := map[string]string{}
	err := query(s.conn, "SELECT key, value FROM _packstone_meta", func(row *sqlite3.Stmt) error {
		meta[row.ColumnText(0)] = row.ColumnText(1)
		return nil
	})
	if err != nil {
		return err
	}
	if meta["format"] != fileFormat {
		return fmt.Errorf("the file has format %q, which this version does not know", meta["format"])
	}
	s.schema = &database.Schema{}
	if err := json.Unmarshal([]byte(meta["schema"]), s.schema); err != nil {
		return fmt.Errorf("read the stored schema: %w", err)
	}
	if err := s.schema.Sound(); err != nil {
		return fmt.Errorf("read the stored schema: %w", err)
	}
	s.schema.Moment, s.schema.FromFile = meta["moment"], true
	tables, err := ordinaryTables(s.conn)
	if err != nil {
		return err
	}
	if !tables[reservedPrefix+"column"] {
		return errors.New("the file does not say where its tables lie")
	}
	if err := s.readStatements(tables); err != nil {
		return err
	}
	if err := s.readLayout(); err != nil {
		return err
	}
	database.ApplyFilter(s.schema, filter)
	for _, t := range s.schema.Tables {
		r := s.readings[t.ID()]
		if r == nil || len(r.columns) != len(t.Columns) {
			return fmt.Errorf("the file does not say where table %s lies", t.ID())
		}
		if !tables[r.table] {
			return fmt.Errorf("the file says that table %s lies in %s, which is no table", t.ID(), r.table)
		}
		if r.exact, err = readExact(s.conn, r.table); err != nil {
			return err
		}
		for i, c := range t.Columns {
			r.columns[i].generated = c.Generated != nil
			r.columns[i].long = c.Generated == nil && mayBeLong(c.Type, r.columns[i].enc)
		}
	}
	if err := s.openPages(); err != nil {
		return err
	}
	return s.addForeign(filter)
}

// ordinaryTables are those that are neither views nor virtual: to read one of these would run what
// it says.
func ordinaryTables(conn *sqlite3.Conn) (map[string]bool, error) {
	found := map[string]bool{}
	err := query(conn, "PRAGMA main.table_list", func(row *sqlite3.Stmt) error {
		if row.ColumnText(2) == "table" {
			found[row.ColumnText(1)] = true
		}
		return nil
	})
	return found, err
}

// readStatements takes objects' statements from the table that people read. Whatever the stored
// schema says of them does not count.
func (s *source) readStatements(tables map[string]bool) error {
	for _, o := range s.schema.Objects {
		o.DDL = nil
	}
	if !tables[reservedPrefix+"object"] {
		return nil
	}
	texts := map[string][]string{}
	err := query(s.conn, "SELECT kind || ' ' || object, native_ddl FROM _packstone_object WHERE native_ddl <> '' ORDER BY id", func(row *sqlite3.Stmt) error {
		texts[row.ColumnText(0)] = append(texts[row.ColumnText(0)], row.ColumnText(1))
		return nil
	})
	for _, o := range s.schema.Objects {
		name := o.Kind + " " + o.ObjectID.String()
		if list := texts[name]; len(list) > 0 {
			o.DDL, texts[name] = list[:1], list[1:]
		}
	}
	return err
}

func (s *source) readLayout() error {
	s.readings = map[string]*reading{}
	return query(s.conn, "SELECT source_table, ordinal, tbl, col, encoding FROM _packstone_column ORDER BY source_table, ordinal", func(row *sqlite3.Stmt) error {
		id := row.ColumnText(0)
		r := s.readings[id]
		if r == nil {
			r = &reading{table: row.ColumnText(2), rowid: true}
			s.readings[id] = r
		}
		if row.ColumnInt64(1) >= 0 {
			r.columns = append(r.columns, columnLayout{name: row.ColumnText(3), enc: encoding(row.ColumnText(4))})
		}
		return nil
	})
}

// addForeign adds tables that someone made in the file after the export.
func (s *source) addForeign(filter database.Filter) error {
	known := map[string]bool{}
	for _, r := range s.readings {
		known[r.table] = true
	}
	found, readings, err := inspect(s.conn, filter, true, known)
	if err != nil {
		return err
	}
	for _, t := range found.Tables {
		if s.schema.Find(t.ID()) == nil {
			s.schema.Tables = append(s.schema.Tables, t)
			s.readings[t.ID()] = readings[t.ID()]
			s.schema.Objects = append(s.schema.Objects, &database.Object{
				ObjectID: t.ObjectID(), Phase: database.Tables, Lost: "the table was added to the file after the export",
			})
		}
	}
	return nil
}

// Schema gives the schema that was read at the start.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Recorded gives the digests that an export wrote beside its rows; see [database.Recorder].
func (s *source) Recorded(context.Context) (map[string]database.Digest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]database.Digest{}
	ours, err := hasTable(s.conn, reservedPrefix+"digest")
	if err != nil || !ours {
		return nil, err
	}
	err = query(s.conn, "SELECT source_table, digest FROM _packstone_digest WHERE algorithm = "+text(database.DigestName), func(row *sqlite3.Stmt) error {
		var d database.Digest
		if err := d.UnmarshalText([]byte(row.ColumnText(1))); err != nil {
			return err
		}
		found[row.ColumnText(0)] = d
		return nil
	})
	return found, err
}

// Rows reads a table.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	r := s.readings[t.ID()]
	if r == nil {
		return fmt.Errorf("table %s is not in %s", t.ID(), s.at)
	}
	return r.stream(ctx, s.conn, &s.mu, send)
}

// Sequences gives the stored counters, moved on where rows were added since.
func (s *source) Sequences(context.Context) ([]*database.Sequence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.schema.Tables {
		for i, c := range t.Columns {
			if c.Identity == nil {
				continue
			}
			if err := s.advance(t, i, s.schema.Sequence(c.Identity.Sequence)); err != nil {
				return nil, fmt.Errorf("read the counter of table %s: %w", t.ID(), err)
			}
		}
	}
	return s.schema.Sequences, nil
}

// advance moves a counter past the largest value in its column and past what
// SQLite itself has given out.
func (s *source) advance(t *database.Table, column int, q *database.Sequence) error {
	r := s.readings[t.ID()]
	if q == nil || q.Increment < 1 || r == nil {
		return nil
	}
	name := quote(r.columns[column].name)
	largest := int64(0)
	some := false
	err := query(s.conn, "SELECT max("+name+") FROM "+quote(r.table)+" WHERE typeof("+name+") = 'integer'", func(row *sqlite3.Stmt) error {
		some = row.ColumnType(0) == sqlite3.INTEGER
		largest = row.ColumnInt64(0)
		return nil
	})
	if err != nil {
		return err
	}
	counted, err := hasTable(s.conn, "sqlite_sequence")
	if err != nil {
		return err
	}
	if counted && q.Increment == 1 {
		err = query(s.conn, "SELECT seq FROM sqlite_sequence WHERE name = "+text(r.table), func(row *sqlite3.Stmt) error {
			largest, some = max(largest, row.ColumnInt64(0)), true
			return nil
		})
	}
	if some && largest >= q.Next() && largest <= q.Max {
		q.Last, q.Called = largest, true
	}
	return err
}

// Close ends the transaction.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	if s.pages != nil {
		err = errors.Join(err, s.pages.Close())
	}
	if s.copied != "" {
		err = errors.Join(err, os.Remove(s.copied))
	}
	return err
}

// atoi reads a positive number, 0 for anything else.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
