package mysql

import (
	"context"
	"fmt"
	"strings"
	"sync"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// source is one moment of a database, seen by several connections.
type source struct {
	filter  database.Filter
	name    string
	guard   *session // holds metadata locks; nil where the only reader holds them
	readers chan *session
	all     []*session
	moment  string
	serial  string // why only one table is read at a time; empty if it is not so

	once   sync.Once
	schema *database.Schema
	err    error
}

// lockWait is how long, in seconds, we wait for the lock under which the
// snapshots begin. Long statements of others hold it up, and it holds up theirs.
const lockWait = 60

func openSource(ctx context.Context, config *client.Config, opts database.SourceOptions) (_ *source, err error) {
	jobs := max(opts.Jobs, 1)
	s := &source{filter: opts.Filter, name: config.DBName, readers: make(chan *session, jobs)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.connect(ctx, config, jobs); err != nil {
		return nil, err
	}
	if err := s.refuseLeftover(ctx); err != nil {
		return nil, err
	}
	if jobs > 1 {
		err := s.beginTogether(ctx, config)
		if err == nil || !denied(err) {
			return s, err
		}
		s.serial = err.Error()
	}
	return s, s.beginAlone(ctx)
}

func (s *source) connect(ctx context.Context, config *client.Config, jobs int) error {
	for range jobs {
		one, err := connect(ctx, config)
		if err != nil {
			return err
		}
		s.all = append(s.all, one)
	}
	return nil
}

// refuseLeftover keeps a half-filled database from being taken for a whole one.
func (s *source) refuseLeftover(ctx context.Context) error {
	found, err := s.all[0].value(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '"+markerTable+"'")
	if err == nil && found != "" {
		err = fmt.Errorf("the database is being filled by an import, or one was killed; its table %s says so", markerTable)
	}
	return err
}

// beginTogether begins a snapshot on every connection under one lock. First DDL
// is kept away, then the tables are guarded against it for the whole export, and
// only for the moment in which the snapshots begin are commits held up too. (A
// guard taken before the lock would be a deadlock: DDL that waits for the guard
// holds up the lock.)
func (s *source) beginTogether(ctx context.Context, config *client.Config) error {
	guard, err := connect(ctx, config)
	if err != nil {
		return err
	}
	s.guard = guard
	locker, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer locker.close() // which gives up the lock, whatever happened
	lock, err := lockDDL(ctx, locker)
	if err != nil {
		return fmt.Errorf("hold up DDL for a moment: %w", err)
	}
	if err := guard.exec(ctx, "START TRANSACTION READ ONLY"); err != nil {
		return fmt.Errorf("begin to guard the tables: %w", err)
	}
	if err := s.touch(ctx, guard); err != nil {
		return err
	}
	if err := locker.run(ctx, lock.commits); err != nil {
		return fmt.Errorf("hold up commits for a moment: %w", err)
	}
	for _, one := range s.all {
		if err := one.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
	}
	s.moment = s.position(ctx, s.all[0], locker)
	if err := locker.run(ctx, lock.end); err != nil {
		return fmt.Errorf("give up the lock: %w", err)
	}
	s.ready(s.all)
	return nil
}

// lock is how a server is held still: statements that hold up commits, after
// DDL is held up already, and those that end it.
type lock struct{ commits, end []string }

// lockDDL holds up DDL.
func lockDDL(ctx context.Context, locker *session) (lock, error) {
	if err := locker.exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockWait)); err != nil {
		return lock{}, err
	}
	if locker.server.mariadb() {
		// Unlike FLUSH TABLES this does not wait for long reading statements.
		err := locker.run(ctx, []string{"BACKUP STAGE START", "BACKUP STAGE BLOCK_DDL"})
		return lock{commits: []string{"BACKUP STAGE BLOCK_COMMIT"}, end: []string{"BACKUP STAGE END"}}, err
	}
	const flush = "FLUSH TABLES WITH READ LOCK"
	err := locker.exec(ctx, "LOCK INSTANCE FOR BACKUP")
	if denied(err) { // a privilege of its own; the other lock holds up DDL as well
		return lock{end: []string{"UNLOCK TABLES"}}, locker.exec(ctx, flush)
	}
	return lock{commits: []string{flush}, end: []string{"UNLOCK TABLES", "UNLOCK INSTANCE"}}, err
}

// beginAlone begins a snapshot on the first connection and closes the others.
func (s *source) beginAlone(ctx context.Context) error {
	one := s.all[0]
	for _, other := range s.all[1:] {
		other.close()
	}
	s.all = s.all[:1]
	if err := one.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return fmt.Errorf("begin a snapshot: %w", err)
	}
	s.moment = s.position(ctx, one, nil)
	if err := s.touch(ctx, one); err != nil {
		return err
	}
	s.ready(s.all)
	return nil
}

func (s *source) ready(sessions []*session) {
	for _, one := range sessions {
		s.readers <- one
	}
}

// touch takes a metadata lock on every table for the rest of the transaction,
// so that DDL waits until the source is closed.
func (s *source) touch(ctx context.Context, one *session) error {
	var names []string
	err := one.texts(ctx, relationNames, func(row []string, _ []bool) error {
		if (row[1] == "BASE TABLE" || row[1] == "SYSTEM VERSIONED") && s.takes(row[0]) {
			names = append(names, row[0])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	for _, name := range names {
		err := one.exec(ctx, "SELECT 1 FROM "+quote(name)+" LIMIT 0")
		if err != nil && number(err) != errUnknownTable { // dropped just now
			return fmt.Errorf("open table %s: %w", name, err)
		}
	}
	return nil
}

func (s *source) takes(table string) bool { return s.filter.Takes(s.name, "", table) }

// position names the snapshot by the binary log, where that is on and visible.
func (s *source) position(ctx context.Context, one, locker *session) string {
	var parts []string
	if one.server.mariadb() {
		row, err := one.row(ctx, `SELECT MAX(IF(VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE', VARIABLE_VALUE, '')),
			MAX(IF(VARIABLE_NAME = 'BINLOG_SNAPSHOT_POSITION', VARIABLE_VALUE, '')) FROM information_schema.SESSION_STATUS
			WHERE VARIABLE_NAME LIKE 'BINLOG\_SNAPSHOT\_%'`)
		if err != nil || row[0] == "" {
			return ""
		}
		gtid, err := one.value(ctx, "SELECT BINLOG_GTID_POS("+quoteText(row[0])+", "+row[1]+")")
		if err == nil && gtid != "" {
			parts = append(parts, "gtid "+gtid)
		}
		return strings.Join(append(parts, "binlog "+row[0]+":"+row[1]), ", ")
	}
	if locker == nil {
		return ""
	}
	if gtid, err := locker.value(ctx, "SELECT @@GLOBAL.gtid_executed"); err == nil && gtid != "" {
		parts = append(parts, "gtid "+strings.ReplaceAll(gtid, "\n", ""))
	}
	show := "SHOW MASTER STATUS"
	if locker.server.number >= 80200 {
		show = "SHOW BINARY LOG STATUS"
	}
	if row, err := locker.row(ctx, show); err == nil && len(row) > 1 {
		parts = append(parts, "binlog "+row[0]+":"+row[1])
	}
	return strings.Join(parts, ", ")
}

// Jobs is how many tables can be read at once; see [database.Narrow].
func (s *source) Jobs() int { return len(s.all) }

// Schema reads the catalog once.
func (s *source) Schema(ctx context.Context) (*database.Schema, error) {
	s.once.Do(func() {
		s.err = s.use(ctx, func(one *session) (err error) {
			s.schema, err = s.read(ctx, one)
			return err
		})
	})
	return s.schema, s.err
}

func (s *source) read(ctx context.Context, one *session) (*database.Schema, error) {
	c, err := readCatalog(ctx, one, s.takes)
	if err != nil {
		return nil, translate(err)
	}
	if !s.filter.Empty() {
		c.keepTables()
	}
	schema, err := c.schema()
	if err != nil {
		return nil, err
	}
	schema.Moment = s.moment
	if s.serial != "" {
		schema.Settings["reading"] = "one table at a time, since the privilege RELOAD is missing"
	}
	if err := fits(ctx, one, schema); err != nil {
		return nil, translate(err)
	}
	return schema, oddTexts(ctx, one, schema)
}

// keepTables leaves out what hangs on no table: with a filter only tables are
// wanted, and views and routines may need those left out.
func (c *catalog) keepTables() {
	c.routines, c.events = nil, nil
	kept := c.relations[:0]
	for _, r := range c.relations {
		if r.kind != "VIEW" {
			kept = append(kept, r)
		}
	}
	c.relations = kept
}

// fits looks at the highest value of every BIGINT UNSIGNED column: other engines
// have a narrower type.
func fits(ctx context.Context, one *session, schema *database.Schema) error {
	for _, t := range schema.Tables {
		var wide []*database.Column
		var sums []string
		for _, c := range t.Columns {
			if c.Type.Kind == database.Int && c.Type.Bits == 64 && c.Type.Unsigned {
				wide = append(wide, c)
				sums = append(sums, "COALESCE(MAX("+quote(c.Name)+"), 0) <= 9223372036854775807")
			}
		}
		if len(wide) == 0 {
			continue
		}
		row, err := one.row(ctx, "SELECT "+strings.Join(sums, ", ")+" FROM "+quote(t.Name))
		if err != nil {
			return fmt.Errorf("find the highest values of table %s: %w", t.Name, err)
		}
		for i, c := range wide {
			c.Type.Fits = row[i] == "1"
		}
	}
	return nil
}

// commonCharsets all have a character in Unicode for each of theirs.
var commonCharsets = map[string]bool{
	"": true, "binary": true, "utf8mb4": true, "utf8mb3": true, "utf8": true, "ascii": true, "latin1": true,
	"ucs2": true, "utf16": true, "utf16le": true, "utf32": true,
}

// oddTexts counts values that would change on their way through UTF-8, and enum
// values that are errors where the empty label is legal too.
func oddTexts(ctx context.Context, one *session, schema *database.Schema) error {
	for _, t := range schema.Tables {
		for _, c := range t.Columns {
			if err := oddColumn(ctx, one, schema, t, c); err != nil {
				return translate(fmt.Errorf("look for odd values in column %s of table %s: %w", c.Name, t.Name, err))
			}
		}
	}
	return nil
}

func oddColumn(ctx context.Context, one *session, schema *database.Schema, t *database.Table, c *database.Column) error {
	name, condition, reason := quote(c.Name), "", ""
	switch {
	case c.Type.Kind == database.Enum && contains(c.Type.Values, ""):
		condition, reason = name+" = 0", "the enum's error value becomes the empty label"
	case c.Type.Kind == database.Text && !commonCharsets[c.Type.Charset]:
		condition = "BINARY CONVERT(CONVERT(" + name + " USING utf8mb4) USING " + c.Type.Charset + ") <> BINARY " + name
		reason = "bytes that are no character of " + c.Type.Charset + " become question marks"
	default:
		return nil
	}
	row, err := one.row(ctx, "SELECT COUNT(*) FROM "+quote(t.Name)+" WHERE "+condition)
	if err != nil {
		return err
	}
	if count := integer(row[0]); count > 0 {
		schema.Findings = append(schema.Findings, database.Finding{
			Object: database.ObjectID{Kind: "column", Table: t.ID(), Name: c.Name},
			Status: database.Approximated, Code: "DB212", Reason: reason, Count: count,
		})
	}
	return nil
}

func contains(list []string, wanted string) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}

// use lends a connection of the snapshot to f.
func (s *source) use(ctx context.Context, f func(*session) error) error {
	select {
	case one := <-s.readers:
		defer func() { s.readers <- one }()
		return f(one)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rows streams a table; see [database.Reader].
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	return s.use(ctx, func(one *session) error { return readRows(ctx, one, t, send) })
}

// Sequences reads the counters as they stand now.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	schema, err := s.Schema(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*database.Sequence, 0, len(schema.Sequences))
	err = s.use(ctx, func(one *session) error {
		for _, q := range schema.Sequences {
			fresh := *q
			next, err := currentCounter(ctx, one, q)
			if err != nil {
				return translate(fmt.Errorf("read the counter %s: %w", q.Name, err))
			}
			fresh.Last, fresh.Called = next, false
			out = append(out, &fresh)
		}
		return nil
	})
	return out, err
}

// currentCounter is the next value of AUTO_INCREMENT or of a sequence.
func currentCounter(ctx context.Context, one *session, q *database.Sequence) (int64, error) {
	if q.OwnerTable == "" {
		fresh, err := readSequence(ctx, one, q.Name)
		if err != nil {
			return 0, err
		}
		return fresh.next, nil
	}
	text, err := one.value(ctx, "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = "+quoteText(q.OwnerTable))
	return max(integer(text), 1), err
}

// Close ends the snapshot.
func (s *source) Close() error {
	if s.guard != nil {
		s.guard.close()
	}
	for _, one := range s.all {
		one.close()
	}
	if s.all == nil {
		return nil
	}
	s.all = nil
	return nil
}

var _ database.Narrow = (*source)(nil)
