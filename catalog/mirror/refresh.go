package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Refresh updates the mirror from the log, except for the view files. It leaves out what the keys
// at hand do not open, and keeps what an earlier Refresh knew of that. It reads only new index
// runs, one by one.
func (m *Mirror) Refresh(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	runs := repo.Runs(log)
	state := stateOf(repo, log, len(runs))
	known, err := m.state()
	if err != nil || known == state {
		return err
	}
	if err := m.refreshRecords(ctx, log); err != nil {
		return err
	}
	if repo.CanRead() {
		if err := m.refreshSnapshots(ctx, repo, log); err != nil {
			return err
		}
	}
	if err := m.refreshRuns(ctx, repo, log, runs); err != nil {
		return err
	}
	return m.run("INSERT OR REPLACE INTO _state VALUES('log', ?)", state)
}

// stateOf returns a digest of everything on which a refresh depends.
func stateOf(repo *catalog.Repository, log *catalog.Log, runs int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %v %d\n", repo.Config.Hash(), repo.CanRead(), runs)
	for _, rec := range log.Records {
		h.Write(rec.Hash[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (m *Mirror) state() (text string, err error) {
	err = m.each("SELECT value FROM _state WHERE key = 'log'", func(row *sqlite3.Stmt) error {
		text = row.ColumnText(0)
		return nil
	})
	return text, err
}

// ids returns the first column of all rows.
func (m *Mirror) ids(sql string) (map[string]bool, error) {
	ids := map[string]bool{}
	err := m.each(sql, func(row *sqlite3.Stmt) error {
		ids[row.ColumnText(0)] = true
		return nil
	})
	return ids, err
}

func (m *Mirror) refreshRecords(ctx context.Context, log *catalog.Log) error {
	return m.change(ctx, func() error {
		if err := m.run("DELETE FROM _record"); err != nil {
			return err
		}
		insert, err := m.inserter("_record", 11)
		if err != nil {
			return err
		}
		defer insert.close()
		for _, rec := range log.Records {
			err := insert.row(rec.Hash.String(), rec.Name(), rec.Lane.Writer, rec.Lane.Number, rec.Sequence, string(rec.Kind), rec.Time, rec.Stored,
				rec.Domain, rec.Config, rec.Software)
			if err != nil {
				return err
			}
		}
		return m.dropSnapshots("SELECT id FROM _snapshot WHERE id NOT IN (SELECT id FROM _record WHERE kind = 'commit')")
	})
}

// dropSnapshots removes the snapshots that a query selects, with all that belongs to them.
func (m *Mirror) dropSnapshots(which string, params ...any) error {
	for _, sql := range []string{
		"DELETE FROM _file WHERE source IN (SELECT id FROM _source WHERE snapshot IN (%s))",
		"DELETE FROM _source WHERE snapshot IN (%s)",
		"DELETE FROM _tag WHERE snapshot IN (%s)",
		"DELETE FROM _snapshot WHERE id IN (%s)",
	} {
		if err := m.run(fmt.Sprintf(sql, which), params...); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) refreshSnapshots(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	snapshots, err := repo.Snapshots(ctx, log)
	if err != nil {
		return err
	}
	return m.change(ctx, func() error {
		gone, err := m.ids("SELECT id FROM _snapshot")
		if err != nil {
			return err
		}
		if err := m.run("DELETE FROM _tag"); err != nil {
			return err
		}
		for _, s := range snapshots {
			if err := m.addSnapshot(s, gone[s.ID.String()]); err != nil {
				return err
			}
			delete(gone, s.ID.String())
		}
		for id := range gone {
			if err := m.dropSnapshots("SELECT ?", id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *Mirror) addSnapshot(s *catalog.Snapshot, known bool) error {
	id := s.ID.String()
	for _, tag := range s.Tags {
		if err := m.run("INSERT OR IGNORE INTO _tag VALUES(?, ?)", id, tag); err != nil {
			return err
		}
	}
	if known { // what it is taken for may have changed
		return m.run("UPDATE _snapshot SET time = ?, undated = ?, standing = ? WHERE id = ?", s.Time, s.Undated, s.Standing.String(), id)
	}
	err := m.run("INSERT INTO _snapshot VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", id, s.Time, s.Set, s.Host, s.User, s.Writer, s.Started, s.Finished, s.Stored,
		orNull(s.Parent), s.Software, s.Complete(), s.Claimed, s.Undated, s.Standing.String())
	if err != nil {
		return err
	}
	for i := range s.Sources {
		if err := m.addSource(id, &s.Sources[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) addSource(snapshot string, s *catalog.SourceState) error {
	paths, err := json.Marshal(append([]string{}, s.Paths...))
	if err != nil {
		return fmt.Errorf("encode paths: %w", err)
	}
	c := &s.Coverage
	return m.run("INSERT INTO _source VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)", snapshot, s.Name, s.Type, s.Location, string(paths), s.Moment, s.Finished,
		c.Files, c.Directories, c.Others, c.Bytes, c.New, c.Changed, c.Unmodified, c.Missed)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// refreshRuns adds the packs of new index runs, in one transaction each, and removes those of runs
// that no longer exist.
func (m *Mirror) refreshRuns(ctx context.Context, repo *catalog.Repository, log *catalog.Log, runs []archive.Name) error {
	by := map[string]string{} // index run → the first record that names it
	for _, rec := range log.Namers() {
		for _, run := range rec.Index {
			if by[run] == "" {
				by[run] = rec.Hash.String()
			}
		}
	}
	known, err := m.ids("SELECT id FROM _run")
	if err != nil {
		return err
	}
	for _, run := range runs {
		if known[run.String()] {
			continue
		}
		err := m.addRun(ctx, repo, run, by[run.String()])
		if err != nil && !errors.Is(err, catalog.ErrNoIdentity) {
			return err
		}
	}
	for run := range known {
		if by[run] == "" {
			if err := m.dropRun(ctx, run); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Mirror) addRun(ctx context.Context, repo *catalog.Repository, run archive.Name, record string) error {
	named, err := repo.LoadRun(ctx, run)
	if err != nil {
		return err
	}
	return m.change(ctx, func() error {
		insert, err := m.inserter("_pack", 7)
		if err != nil {
			return err
		}
		defer insert.close()
		var packs, chunks int64
		for _, p := range named {
			packs, chunks = packs+1, chunks+int64(p.Directory.Len())
			err := insert.row(p.Pack.Name.String(), run.String(), kindOf(p.Pack.Kind), int64(p.Pack.Size), int64(p.Directory.Len()), p.Directory.Raw(), p.Directory.Stored())
			if err != nil {
				return err
			}
		}
		return m.run("INSERT OR REPLACE INTO _run VALUES(?,?,?,?)", run.String(), record, packs, chunks)
	})
}

// kindOf returns the name of a pack's kind for people.
func kindOf(k archive.Kind) string {
	if k == archive.Trees {
		return "tree"
	}
	return "data"
}

func (m *Mirror) dropRun(ctx context.Context, run string) error {
	return m.change(ctx, func() error {
		if err := m.run("DELETE FROM _pack WHERE run = ?", run); err != nil {
			return err
		}
		return m.run("DELETE FROM _run WHERE id = ?", run)
	})
}

// inserter inserts many rows with one statement.
type inserter struct{ stmt *sqlite3.Stmt }

func (m *Mirror) inserter(table string, columns int) (inserter, error) {
	marks := "?"
	for range columns - 1 {
		marks += ",?"
	}
	stmt, err := m.statement("INSERT OR REPLACE INTO " + table + " VALUES(" + marks + ")")
	return inserter{stmt}, err
}

func (i inserter) row(values ...any) error {
	if err := bind(i.stmt, values); err != nil {
		return err
	}
	return translate("change", i.stmt.Exec())
}

func (i inserter) close() { i.stmt.Close() }
