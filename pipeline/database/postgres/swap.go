package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Swapper = Driver{}

// swap renames databases, from a connection to another one of the server.
type swap struct {
	at   database.Location
	name string
	conn *pgx.Conn
}

// maintenance are databases that every server has, in which databases are renamed.
var maintenance = []string{"postgres", "template1"}

// OpenSwap connects to the server; see [database.Swapper].
func (Driver) OpenSwap(ctx context.Context, at database.Location) (database.Swap, error) {
	config, err := pgx.ParseConfig(at.Reveal())
	if err != nil {
		return nil, at.Wrap("connect to", errors.New("the URL is not one that PostgreSQL understands"))
	}
	s := &swap{at: at, name: config.Database}
	if s.name == "" {
		s.name = config.User
	}
	for _, name := range maintenance {
		if name == s.name {
			continue
		}
		beside, err := at.Named(name)
		if err != nil {
			return nil, err
		}
		if s.conn, err = connect(ctx, beside); err == nil {
			return s, nil
		}
		if name == maintenance[len(maintenance)-1] {
			return nil, err
		}
	}
	return nil, at.Wrap("rename", fmt.Errorf("%w: it is the server's own", database.ErrNoSwap))
}

// Name implements database.Swap.
func (s *swap) Name() string { return s.name }

// At implements database.Swap.
func (s *swap) At(name string) (database.Location, error) { return s.at.Named(name) }

// Close implements database.Swap.
func (s *swap) Close() error { return s.conn.Close(context.Background()) }

// Holds implements database.Swap. An empty database may have rights that somebody gave.
func (s *swap) Holds(ctx context.Context, name string) (there bool, err error) {
	err = s.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", name).Scan(&there)
	return there, s.wrap("look for", err)
}

func (s *swap) wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return s.at.Wrap(act, translate(err))
}

// Ready implements database.Swap.
func (s *swap) Ready(ctx context.Context, _ string) error {
	var user string
	var super, creates bool
	var owner *string
	var member, outranked bool
	err := s.conn.QueryRow(ctx, `SELECT r.rolname::text, r.rolsuper, r.rolcreatedb, o.rolname::text, coalesce(pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER'), true),
			EXISTS (SELECT FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles u ON u.oid = a.usesysid WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid()
				AND (u.rolsuper OR NOT pg_catalog.pg_has_role(r.oid, u.oid, 'MEMBER') AND NOT pg_catalog.pg_has_role(r.oid, 'pg_signal_backend', 'MEMBER')))
		FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_database d ON d.datname = $1 LEFT JOIN pg_catalog.pg_roles o ON o.oid = d.datdba WHERE r.rolname = current_user`,
		s.name).Scan(&user, &super, &creates, &owner, &member, &outranked)
	switch {
	case err != nil:
		return s.wrap("look into the rights at", err)
	case super:
		return nil
	case !creates:
		return s.refuse("%s may not create databases; let a superuser run: ALTER ROLE %s CREATEDB", user, quote(user))
	case !member:
		return s.refuse("it belongs to %s, of which %s is no member; let a superuser run: GRANT %s TO %s", *owner, user, quote(*owner), quote(user))
	case outranked:
		return s.refuse("sessions in it are of users whose sessions %s may not end; end them, or let a superuser run: GRANT pg_signal_backend TO %s", user, quote(user))
	}
	return nil
}

func (s *swap) refuse(format string, args ...any) error {
	return s.at.Wrap("swap", fmt.Errorf("%w: %s", database.ErrNoSwap, fmt.Sprintf(format, args...)))
}

// Make implements database.Swap.
func (s *swap) Make(ctx context.Context, name string) error {
	var text string
	err := s.conn.QueryRow(ctx, "SELECT pg_catalog.to_jsonb(d) || pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(d.datdba), 'encoding', pg_catalog.pg_encoding_to_char(d.encoding)) FROM pg_catalog.pg_database d WHERE d.datname = $1", s.name).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.create(ctx, name, "")
	}
	if err != nil {
		return s.wrap("look into", err)
	}
	var living map[string]any
	if err := json.Unmarshal([]byte(text), &living); err != nil {
		return s.wrap("look into", err)
	}
	if err := s.create(ctx, name, likeLiving(living)); err != nil {
		return err
	}
	return s.copyRights(ctx, name)
}

// create makes a database. A server goes on with what a program has asked for that was killed, so
// that another one of the name may come to be in the middle: create drops that, and tries again.
func (s *swap) create(ctx context.Context, name, like string) error {
	for try := 0; ; try++ {
		_, err := s.conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE template0"+like)
		if err == nil || !isTaken(err) || try == 3 {
			return s.wrap("make a database beside", err)
		}
		if err := s.Drop(ctx, name); err != nil {
			return err
		}
	}
}

// isTaken says that another database has the name, maybe since this moment.
func isTaken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P04" || pg.Code == "23505")
}

// likeLiving gives the options of CREATE DATABASE that make it like one that is there.
func likeLiving(living map[string]any) string {
	var b strings.Builder
	option := func(name, column string) {
		if value, ok := living[column].(string); ok && value != "" {
			b.WriteString(" " + name + " " + strings.TrimSpace(literal(value)))
		}
	}
	b.WriteString(" OWNER " + quote(fmt.Sprint(living["owner"])))
	option("ENCODING", "encoding")
	option("LC_COLLATE", "datcollate")
	option("LC_CTYPE", "datctype")
	switch living["datlocprovider"] {
	case "i":
		b.WriteString(" LOCALE_PROVIDER icu")
		option("ICU_LOCALE", "daticulocale") // 15 and 16
		option("ICU_LOCALE", "datlocale")
		option("ICU_RULES", "daticurules")
	case "b":
		b.WriteString(" LOCALE_PROVIDER builtin")
		option("BUILTIN_LOCALE", "datlocale")
	}
	if limit, ok := living["datconnlimit"].(float64); ok && limit >= 0 {
		fmt.Fprintf(&b, " CONNECTION LIMIT %d", int(limit))
	}
	return b.String()
}

// copyRights gives everybody the rights on a database that they have on the living one.
func (s *swap) copyRights(ctx context.Context, name string) error {
	var list []string
	var grantee, privilege string
	var grantable bool
	err := each(ctx, s.conn, `SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, a.privilege_type::text, a.is_grantable
		FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a WHERE d.datacl IS NOT NULL AND d.datname = `+literal(s.name),
		[]any{&grantee, &privilege, &grantable}, func() error {
			sql := "GRANT " + privilege + " ON DATABASE " + quote(name) + " TO " + grantee
			if grantable {
				sql += " WITH GRANT OPTION"
			}
			list = append(list, sql)
			return nil
		})
	if err != nil {
		return s.wrap("read the rights on", err)
	}
	if len(list) == 0 {
		return nil
	}
	return s.wrap("copy the rights on", execAll(ctx, s.conn, append([]string{"REVOKE ALL ON DATABASE " + quote(name) + " FROM PUBLIC"}, list...)))
}

// Exchange implements database.Swap. Between shutting the living database and renaming it nobody
// can come in; if the process is killed there, the next Exchange goes on.
func (s *swap) Exchange(ctx context.Context, aside, fresh string) error {
	err := s.exchange(ctx, aside, fresh)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(err, s.Reopen(ctx))
}

// patience is how long the living database is tried to be opened again.
const patience = time.Minute

func (s *swap) exchange(ctx context.Context, aside, fresh string) error {
	there, err := s.Holds(ctx, s.name)
	if err != nil {
		return err
	}
	var list []string
	if there {
		if err := s.shut(ctx, s.name); err != nil {
			return err
		}
		list = append(list, rename(s.name, aside), "ALTER DATABASE "+quote(aside)+" ALLOW_CONNECTIONS true")
	}
	if fresh != "" {
		if err := s.shut(ctx, fresh); err != nil {
			return err
		}
		list = append(list, rename(fresh, s.name), "ALTER DATABASE "+quote(s.name)+" ALLOW_CONNECTIONS true")
	}
	return s.atOnce(ctx, list)
}

func rename(from, to string) string {
	return "ALTER DATABASE " + quote(from) + " RENAME TO " + quote(to)
}

// atOnce runs statements in one transaction. A session that was ended may take a while to go; the
// server itself waits for it for five seconds, and then it is ended again.
func (s *swap) atOnce(ctx context.Context, list []string) error {
	var err error
	for range exchangeTries {
		if err = execAll(ctx, s.conn, append(append([]string{"BEGIN"}, list...), "COMMIT")); err == nil {
			return nil
		}
		if _, rollback := s.conn.Exec(ctx, "ROLLBACK"); rollback != nil {
			break
		}
	}
	return s.wrap("rename", err)
}

// exchangeTries is how often databases are renamed while sessions in them go away.
const exchangeTries = 6

// shut lets nobody into a database, and ends the sessions that are there.
func (s *swap) shut(ctx context.Context, name string) error {
	if _, err := s.conn.Exec(ctx, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS false"); err != nil {
		return s.wrap("keep sessions out of", err)
	}
	_, err := s.conn.Exec(ctx, "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() AND datname = "+literal(name))
	return s.wrap("end the sessions of", err)
}

// Reopen implements database.Swap. A connection that was cut off is made anew.
func (s *swap) Reopen(ctx context.Context) error {
	if s.conn.IsClosed() {
		again, err := Driver{}.OpenSwap(ctx, s.at)
		if err != nil {
			return err
		}
		s.conn = again.(*swap).conn
	}
	there, err := s.Holds(ctx, s.name)
	if err != nil || !there {
		return err
	}
	_, err = s.conn.Exec(ctx, "ALTER DATABASE "+quote(s.name)+" ALLOW_CONNECTIONS true")
	return s.wrap("let sessions into", err)
}

// Drop implements database.Swap.
func (s *swap) Drop(ctx context.Context, name string) error {
	there, err := s.Holds(ctx, name)
	if err != nil || !there {
		return err
	}
	if err := s.shut(ctx, name); err != nil {
		return err
	}
	_, err = s.conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name))
	return s.wrap("drop a database beside", err)
}

// DropSQL implements database.Swap.
func (s *swap) DropSQL(name string) string { return "DROP DATABASE " + quote(name) }
