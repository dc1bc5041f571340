package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/packstone/packstone/pipeline/database"
)

// MarshalSchema gives the bytes of schema.json; equal schemas give equal bytes.
func MarshalSchema(s *database.Schema) ([]byte, error) { return json.MarshalIndent(s, "", " ") }

// MarshalStored gives the bytes of tables.json.
func MarshalStored(tables []Stored) ([]byte, error) { return json.MarshalIndent(tables, "", " ") }

// ReadStored reads tables.json.
func ReadStored(data []byte) ([]Stored, error) {
	var out []Stored
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("read %s: %w", TablesEntry, err)
	}
	return out, nil
}

// streams is a Source over stored entries.
type streams struct {
	files  fs.FS
	aside  string
	schema *database.Schema
	tables map[string]*Stored
}

// Open opens a database as a backup stores it: files holds the entries
// of STREAM.md. Tables may be read at once as far as files allows; each run is
// opened when its table is read. Of the options, Filter and Aside count.
func Open(files fs.FS, opts database.SourceOptions) (database.Source, error) {
	s := &streams{files: files, aside: opts.Aside, schema: &database.Schema{}, tables: map[string]*Stored{}}
	data, err := fs.ReadFile(files, SchemaEntry)
	if err != nil {
		return nil, fmt.Errorf("open row streams: %w", err)
	}
	if err := json.Unmarshal(data, s.schema); err != nil {
		return nil, fmt.Errorf("read %s: %w", SchemaEntry, err)
	}
	if err := s.schema.Sound(); err != nil {
		return nil, fmt.Errorf("read %s: %w", SchemaEntry, err)
	}
	s.schema.Findings = s.schema.Losses
	if data, err = fs.ReadFile(files, TablesEntry); err != nil {
		return nil, fmt.Errorf("open row streams: %w", err)
	}
	list, err := ReadStored(data)
	if err != nil {
		return nil, err
	}
	for i := range list {
		s.tables[list[i].Table] = &list[i]
	}
	database.ApplyFilter(s.schema, opts.Filter)
	return s, s.complete()
}

func (s *streams) complete() error {
	for _, t := range s.schema.Tables {
		stored := s.tables[t.ID()]
		if stored == nil || len(stored.Runs) == 0 {
			return fmt.Errorf("open row streams: table %s has no rows stored", t.ID())
		}
		t.EstimatedRows = stored.Rows
		for _, r := range stored.Runs {
			t.EstimatedBytes += r.Bytes
		}
	}
	return nil
}

// Schema gives the stored schema.
func (s *streams) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Sequences gives the stored counters.
func (s *streams) Sequences(context.Context) ([]*database.Sequence, error) {
	return s.schema.Sequences, nil
}

// StoredRows gives how many rows of a table are stored, and their digest.
func (s *streams) StoredRows(table string) (rows int64, digest database.Digest, ok bool) {
	if t := s.tables[table]; t != nil {
		return t.Rows, t.Digest, true
	}
	return 0, digest, false
}

// Close does nothing: runs are closed when their table is read.
func (s *streams) Close() error { return nil }

// Rows merges a table's runs and compares the result with its recorded digest.
func (s *streams) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) (err error) {
	stored := s.tables[t.ID()]
	if stored == nil {
		return fmt.Errorf("table %s is not stored", t.ID())
	}
	var runs []io.Reader
	for _, run := range stored.Runs {
		f, err := s.files.Open(run.Path)
		if err != nil {
			return fmt.Errorf("open rows: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		runs = append(runs, f)
	}
	var sum database.Summer
	err = Read(ctx, runs, s.aside, func(b *database.Batch) error {
		if err := sum.Add(b); err != nil {
			return err
		}
		return send(b)
	})
	if err != nil {
		return fmt.Errorf("read rows of table %s: %w", t.ID(), err)
	}
	return sum.Differs(t.ID(), stored.Rows, stored.Digest)
}
