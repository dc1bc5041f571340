package rowdiff

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/pipeline/database"
)

// ScriptFile is a script as a file, which is replaced as a whole or stays as it was.
type ScriptFile struct {
	Path    string
	Engine  string // "": that of the first state
	Updates bool   // rows that were changed are set back
	Aside   string // as NewScript has it

	Inserts, Updated int64 // rows, after Write
}

// Write writes a script that puts back what before has. compare calls take with each change.
func (f *ScriptFile) Write(ctx context.Context, before database.Source, compare func(take func(*Table, *Change) error) error) error {
	schema, err := before.Schema(ctx)
	if err != nil {
		return err
	}
	engine := f.Engine
	if engine == "" {
		engine = schema.Engine
	}
	err = disk.Replace(f.Path, disk.Options{Prefix: ".packstone-sql-", Sync: true}, func(out io.Writer) error {
		return f.write(out, engine, schema, compare)
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}

func (f *ScriptFile) write(out io.Writer, engine string, s *database.Schema, compare func(func(*Table, *Change) error) error) error {
	script, err := NewScript(out, engine, s, f.Updates, f.Aside)
	if err != nil {
		return err
	}
	err = compare(script.Take)
	if err == nil {
		err = script.End()
	}
	f.Inserts, f.Updated = script.Inserts, script.Updates
	return errors.Join(err, script.Close())
}
