package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	client "github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
)

// source is one moment of a database, seen by several connections.
type source struct {
	filter database.Filter
	aside  string // where long values go; empty: nowhere
	name   string
	names  map[string]bool // everything in the database when the snapshot began
	tables []string        // those that are wanted
	// sequences are all that there are.
	sequences []string
	readers   chan *session
	all       []*session
	moment    string
	serial    string // why only one table is read at a time; empty if it is not so

	once   sync.Once
	schema *database.Schema
	err    error
}

func openSource(ctx context.Context, config *client.Config, opts database.SourceOptions) (_ *source, err error) {
	jobs := max(opts.Jobs, 1)
	s := &source{filter: opts.Filter, aside: opts.Aside, name: config.DBName, readers: make(chan *session, jobs)}
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

// attempts is how often we try to begin while DDL goes on.
const attempts = 50

// errMoving says that DDL was in the way of a snapshot.
var errMoving = errors.New("tables were made, dropped or altered while the snapshot began")

// beginTogether begins a snapshot on every connection under one lock. Waiting
// for DDL under the lock could be a deadlock, since DDL waits for the lock; so we
// give way and try again.
func (s *source) beginTogether(ctx context.Context, config *client.Config) error {
	locker, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer locker.close() // which gives up the lock, whatever happened
	for try := range attempts {
		if err = s.list(ctx, s.all[0]); err == nil {
			err = s.beginLocked(ctx, locker)
		}
		if !moving(err) {
			break
		}
		select {
		case <-time.After(time.Duration(min(try+1, 10)) * 20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	for _, one := range s.all {
		s.readers <- one
	}
	return nil
}

// moving says that another try may succeed.
func moving(err error) bool {
	return errors.Is(err, errMoving) || number(err) == errLockTimeout || number(err) == errUnknownTable
}

func (s *source) beginLocked(ctx context.Context, locker *session) (err error) {
	unlock, err := lockServer(ctx, locker)
	defer func() {
		if done := locker.run(ctx, unlock); err == nil {
			err = done
		}
	}()
	if err != nil {
		return fmt.Errorf("hold up commits for a moment: %w", err)
	}
	var g errgroup.Group // none is stopped by another's failure: a session that is stopped is lost, and another try needs it
	for _, one := range s.all {
		g.Go(func() error { return s.begin(ctx, one, 0) })
	}
	err = g.Wait()
	if err == nil {
		err = s.unmoved(ctx, locker)
	}
	if err != nil {
		for _, one := range s.all {
			one.exec(ctx, "ROLLBACK") // what it may have locked already
		}
		return err
	}
	s.moment = s.position(ctx, s.all[0], locker)
	return nil
}

// unmoved compares the names in the database with those listed. It opens no
// table, so it waits for nothing.
func (s *source) unmoved(ctx context.Context, locker *session) error {
	n := 0
	err := locker.texts(ctx, "SHOW TABLES", func(row []string, _ []bool) error {
		if n++; !s.names[row[0]] {
			return errMoving
		}
		return nil
	})
	if err == nil && n != len(s.names) {
		err = errMoving
	}
	return err
}

// lockServer keeps all others from committing and from DDL, and returns how to
// end that.
func lockServer(ctx context.Context, locker *session) (unlock []string, err error) {
	lock := []string{"FLUSH TABLES WITH READ LOCK"}
	unlock = []string{"UNLOCK TABLES"}
	if locker.server.mariadb() {
		// Unlike FLUSH TABLES this does not wait for long reading statements.
		lock, unlock = []string{"BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"}, []string{"BACKUP STAGE END"}
	}
	return unlock, locker.run(ctx, lock)
}

// beginAlone begins a snapshot on the first connection and closes the others.
func (s *source) beginAlone(ctx context.Context) error {
	one := s.all[0]
	for _, other := range s.all[1:] {
		other.close()
	}
	s.all = s.all[:1]
	if err := s.list(ctx, one); err != nil {
		return err
	}
	if err := s.begin(ctx, one, 60); err != nil {
		return err
	}
	s.moment = s.position(ctx, one, nil)
	s.readers <- one
	return nil
}

// begin begins a snapshot and takes a metadata lock on every table for as long
// as it lasts, so that DDL waits. Every reader needs locks of its own: DDL that
// waits for one of them holds up any that would ask for its first. wait is how
// many seconds DDL that is under way may take; a server may make 1 of 0.
func (s *source) begin(ctx context.Context, one *session, wait int) error {
	if err := one.run(ctx, []string{
		fmt.Sprintf("SET SESSION lock_wait_timeout = %d", wait), "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
	}); err != nil {
		return fmt.Errorf("begin a snapshot: %w", err)
	}
	for part := range slices.Chunk(slices.Concat(s.tables, s.sequences), tablesAtOnce) {
		if err := one.touch(ctx, part); err != nil {
			return err
		}
	}
	return one.exec(ctx, "SET SESSION lock_wait_timeout = 60")
}

// list notes all names in the database, and the tables that are wanted.
func (s *source) list(ctx context.Context, one *session) error {
	s.names, s.tables, s.sequences = map[string]bool{}, nil, nil
	err := one.texts(ctx, relationNames, func(row []string, null []bool) error {
		if null[1] {
			return errMoving // it vanished between its name and its type
		}
		s.names[row[0]] = true
		if (row[1] == "BASE TABLE" || row[1] == "SYSTEM VERSIONED") && s.filter.Takes(s.name, "", row[0]) {
			s.tables = append(s.tables, row[0])
		}
		if row[1] == "SEQUENCE" {
			s.sequences = append(s.sequences, row[0])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	return nil
}

// tablesAtOnce is how many tables a query touches; a join takes at most 61.
const tablesAtOnce = 50

// touch opens tables without reading them, which binds their names to them until the transaction
// ends.
func (one *session) touch(ctx context.Context, tables []string) error {
	names := make([]string, len(tables))
	for i, name := range tables {
		names[i] = quote(name)
	}
	err := one.bind(ctx, names)
	if err == nil || len(tables) > 1 && number(err) == 0 {
		return err
	}
	if len(tables) == 1 {
		return fmt.Errorf("open table %s: %w", tables[0], err)
	}
	for _, name := range tables { // one by one, to know which it is
		if err := one.touch(ctx, []string{name}); err != nil {
			return err
		}
	}
	return nil
}

// bind opens tables by their quoted names. With a view among them it is an error: the server looks
// into a view even to read nothing of it, and runs what its owner wrote with the rights of whoever
// asks. A hint of indexes is what makes it refuse before that.
func (one *session) bind(ctx context.Context, names []string) error {
	err := one.exec(ctx, "SELECT 1 FROM "+strings.Join(names, " USE INDEX (), ")+" USE INDEX () LIMIT 0")
	if number(err) == errNoKey {
		return fmt.Errorf("%w: one is a view: %w", errMoving, err)
	}
	return err
}

// takes says that the table is in the snapshot.
func (s *source) takes(table string) bool { return slices.Contains(s.tables, table) }

// position names the snapshot by the binary log, where that is on and visible.
func (s *source) position(ctx context.Context, one, locker *session) string {
	var parts []string
	if one.server.mariadb() {
		// Not from information_schema.SESSION_STATUS: that computes all variables, some of which
		// wait for whoever makes a user, who waits for the lock that we hold.
		found := map[string]string{}
		err := one.texts(ctx, `SHOW SESSION STATUS LIKE 'Binlog\_snapshot\_%'`, func(row []string, _ []bool) error {
			found[strings.ToLower(row[0])] = row[1]
			return nil
		})
		file, at := found["binlog_snapshot_file"], found["binlog_snapshot_position"]
		if err != nil || file == "" || at == "" {
			return ""
		}
		gtid, err := one.value(ctx, "SELECT BINLOG_GTID_POS("+quoteText(file)+", "+at+")")
		if err == nil && gtid != "" {
			parts = append(parts, "gtid "+gtid)
		}
		return strings.Join(append(parts, "binlog "+file+":"+at), ", ")
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
		c.keepTables(s.filter)
	}
	schema, err := c.schema()
	if err != nil {
		return nil, err
	}
	database.ApplyFilter(schema, s.filter) // foreign keys to what it leaves out
	schema.Moment = s.moment
	if s.serial != "" {
		schema.Settings["reading"] = "one table at a time, since the user lacks the privilege RELOAD, which a snapshot for several readers needs"
	}
	if err := readOwners(ctx, one, schema); err != nil {
		return nil, fmt.Errorf("ask what definers may do: %w", err)
	}
	if err := fits(ctx, one, schema); err != nil {
		return nil, translate(err)
	}
	if err := looseKeys(ctx, one, schema); err != nil {
		return nil, translate(err)
	}
	return schema, oddTexts(ctx, one, schema)
}

// looseKeys marks foreign keys whose parent is gone or has become a view. Whether rows break the
// others is not asked: with foreign_key_checks off, as programs that load a dump set it, the server
// takes any, and to look for them takes longer than to read them. Whoever fills a target looks.
func looseKeys(ctx context.Context, one *session, schema *database.Schema) error {
	for _, t := range schema.Tables {
		for _, k := range t.ForeignKeys {
			err := one.findParent(ctx, k)
			k.NotValid = parentless(err)
			if err != nil && !k.NotValid && !(k.RefSchema != "" && denied(err)) {
				return fmt.Errorf("open the table to which the foreign key %s of table %s refers: %w", k.Name, t.Name, err)
			}
		}
	}
	return nil
}

// findParent opens what a foreign key refers to.
func (one *session) findParent(ctx context.Context, k *database.ForeignKey) error {
	if err := one.bind(ctx, []string{parentOf(k)}); err != nil {
		return err
	}
	return one.exec(ctx, "SELECT "+quoteAll(k.RefColumns)+" FROM "+parentOf(k)+" LIMIT 0")
}

// keepTables leaves out what hangs on no table: with a filter only tables are
// wanted, and views and routines may need those left out.
func (c *catalog) keepTables(f database.Filter) {
	if len(f.Tables) > 0 && !strings.Contains(strings.Join(f.Tables, ""), "*") {
		c.hidden = slices.DeleteFunc(c.hidden, func(h hidden) bool { return h.kind == hiddenTables }) // only what is named was wanted
	}
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
	name, condition, reason, code := quote(c.Name), "", "", database.CodeErrorLabel
	switch {
	case c.Type.Kind == database.Enum && contains(c.Type.Values, ""):
		condition, reason = name+" = 0", "the enum's error value becomes the empty label"
	case c.Type.Kind == database.Text && !commonCharsets[c.Type.Charset]:
		condition = "BINARY CONVERT(CONVERT(" + name + " USING utf8mb4) USING " + c.Type.Charset + ") <> BINARY " + name
		reason = "bytes that are no character of " + c.Type.Charset + " become question marks"
		code = database.CodeNoCharacter
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
			Status: database.Approximated, Code: code, Reason: reason, Count: count,
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
	return s.use(ctx, func(one *session) error { return readRows(ctx, one, t, s.aside, send) })
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
	for _, one := range s.all {
		one.close()
	}
	s.all = nil
	return nil
}

var _ database.Narrow = (*source)(nil)
