package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// Counts are the numbers of rows of the views.
type Counts struct {
	Records, Snapshots, IndexRuns, Packs, Files int64
}

// Counts returns the number of rows of each view.
func (m *Mirror) Counts(ctx context.Context) (c Counts, err error) {
	defer m.conn.SetInterrupt(m.conn.SetInterrupt(ctx))
	sql := "SELECT (SELECT count(*) FROM _record), (SELECT count(*) FROM _snapshot), (SELECT count(*) FROM _run), " +
		"(SELECT count(DISTINCT id) FROM _pack), (SELECT count(*) FROM _file)"
	err = m.each(sql, func(row *sqlite3.Stmt) error {
		c = Counts{row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2), row.ColumnInt64(3), row.ColumnInt64(4)}
		return nil
	})
	return c, err
}

// Query runs one SQL statement that only reads. It calls head with the names of the columns, then
// each for every row. Values are nil, int64, float64, string or []byte, and valid until each
// returns. No statement can change a file.
func (m *Mirror) Query(ctx context.Context, sql string, head func(columns []string) error, each func(row []any) error) error {
	conn, err := connect(m.path, "ro")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetInterrupt(ctx)
	conn.Limit(sqlite3.LIMIT_ATTACHED, 0) // neither ATTACH nor VACUUM INTO
	stmt, rest, err := conn.Prepare(sql)
	if err != nil {
		return queryError(err)
	}
	if stmt == nil {
		return fmt.Errorf("it is empty: %w", ErrQuery)
	}
	defer stmt.Close()
	if strings.Trim(rest, " \t\r\n;") != "" || !stmt.ReadOnly() {
		return fmt.Errorf("want one statement that only reads, such as SELECT: %w", ErrQuery)
	}
	return answer(ctx, stmt, head, each)
}

func answer(ctx context.Context, stmt *sqlite3.Stmt, head func([]string) error, each func([]any) error) error {
	columns := make([]string, stmt.ColumnCount())
	for i := range columns {
		columns[i] = stmt.ColumnName(i)
		if slices.Contains(columns[:i], columns[i]) {
			return fmt.Errorf("two columns are named %s, tell them apart with AS: %w", columns[i], ErrQuery)
		}
	}
	if err := head(columns); err != nil {
		return err
	}
	row := make([]any, len(columns))
	for stmt.Step() {
		for i := range row {
			row[i] = value(stmt, i)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	if err := stmt.Err(); err != nil {
		return errors.Join(ctx.Err(), queryError(err))
	}
	return nil
}

func value(stmt *sqlite3.Stmt, i int) any {
	switch stmt.ColumnType(i) {
	case sqlite3.INTEGER:
		return stmt.ColumnInt64(i)
	case sqlite3.FLOAT:
		return stmt.ColumnFloat(i)
	case sqlite3.TEXT:
		return stmt.ColumnText(i)
	case sqlite3.BLOB:
		return stmt.ColumnBlob(i, nil)
	}
	return nil
}

// queryError wraps errors about invalid SQL with ErrQuery.
func queryError(err error) error {
	if err := translate("query", err); errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrQuery, err)
}
