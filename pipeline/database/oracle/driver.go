package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	client "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// Driver opens Oracle databases:
//
//	oracle://user@host:1521/service
//	oracle://user@host:1521/service?schema=HR
//	oracle://user@host:1521/?SID=XE
//
// The parameter schema names the schema to read or fill; without it, that is the
// user's own. Other parameters are those of the client (SSL, WALLET, SID, …).
type Driver struct{}

// OpenSource opens a snapshot; see [database.Driver].
func (Driver) OpenSource(ctx context.Context, at database.Location, opts database.SourceOptions) (database.Source, error) {
	db, schema, err := open(at)
	if err != nil {
		return nil, err
	}
	s, err := openSource(ctx, db, schema, opts)
	if err != nil {
		db.Close()
		return nil, at.Wrap("open a snapshot of", err)
	}
	return s, nil
}

// OpenTarget connects; see [database.Driver].
func (Driver) OpenTarget(ctx context.Context, at database.Location, opts database.TargetOptions) (database.Target, error) {
	db, schema, err := open(at)
	if err != nil {
		return nil, err
	}
	t, err := openTarget(ctx, db, schema, opts)
	if err != nil {
		db.Close()
		return nil, at.Wrap("connect to", err)
	}
	return t, nil
}

// open prepares connections and takes the schema off the URL.
func open(at database.Location) (db *sql.DB, schema string, err error) {
	dsn, schema, err := clientURL(at)
	if err != nil {
		return nil, "", err
	}
	return sql.OpenDB(client.NewConnector(dsn)), schema, nil
}

func clientURL(at database.Location) (dsn, schema string, err error) {
	u, err := url.Parse(at.Reveal())
	if err != nil || u.Scheme != "oracle" {
		return "", "", at.Wrap("parse the URL of", errors.New("it must look like oracle://user@host:1521/service"))
	}
	query := u.Query()
	schema = query.Get("schema")
	query.Del("schema")
	if u.Hostname() == "" {
		return "", "", at.Wrap("parse the URL of", errors.New("it names no host"))
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "1521")
	}
	if password := query.Get("password"); password != "" {
		u.User = url.UserPassword(u.User.Username(), password)
		query.Del("password")
	}
	if !query.Has("PREFETCH_ROWS") {
		query.Set("PREFETCH_ROWS", "500") // the client asks for 25 rows at a time
	}
	if !query.Has("TIMEOUT") {
		query.Set("TIMEOUT", "0") // a long sort sends nothing for a long time
	}
	u.RawQuery = query.Encode()
	return u.String(), schema, nil
}

// Error numbers of the server that mean something to us.
const (
	errUnique         = 1
	errNoTable        = 942
	errLogin          = 1017
	errNull           = 1400
	errPrecision      = 1438
	errDefinition     = 1466
	errSnapshotTooOld = 1555
	errNoSequence     = 2289
	errNoObject       = 4043
	errNoSynonym      = 1434
	errNoMView        = 12003
	errTooLarge       = 12899
)

// number is the server's error number; 0 if err is not the server's.
func number(err error) int {
	var server *network.OracleError
	if errors.As(err, &server) {
		return server.ErrCode
	}
	return 0
}

var wire = sqlengine.Client{Engine: database.Oracle, Number: number, Explain: explain}

// explain puts the seam's sentinel, or a plain word, on an error of the server.
func explain(n int, err error) error {
	switch {
	case n == errSnapshotTooOld:
		return fmt.Errorf("the server no longer holds the snapshot (its undo retention is too short for this export): %w", err)
	case n == errDefinition:
		return fmt.Errorf("a table was changed by DDL after the snapshot began; read it again: %w", err)
	case n == errUnique, n == errNull, n == errPrecision, n == errTooLarge, n >= 1400 && n <= 1407, n == 1722, n >= 1830 && n <= 1899:
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	case n == errLogin, n >= 12150 && n <= 12699, n == 1033, n == 1034, n == 1089, n == 28000, n == 28001, n == 3113, n == 3114, n == 3135:
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return err
}

func translate(err error) error { return wire.Translate(err) }

// lost says that the connection is gone.
func lost(err error) bool { return wire.Lost(err) }

// quote quotes a name. No name holds a quote; see names.
func quote(name string) string { return database.Quote(database.Oracle, name) }

func quoteText(text string) string { return database.QuoteText(database.Oracle, text) }

// server is what we know about the other side.
type server struct {
	version string
	release int    // 12.2.0.1 is 1202
	owner   string // the schema that we read or fill
	user    string
	unicode bool // the database's character set holds all of Unicode
}

// maxName is the longest name in bytes.
func (s server) maxName() int {
	if s.release >= 1202 {
		return 128
	}
	return 30
}

// settings make the server spell and sort the same way everywhere.
var settings = []string{
	"ALTER SESSION SET TIME_ZONE = '+00:00'",
	"ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,'",
	"ALTER SESSION SET NLS_SORT = BINARY",
	"ALTER SESSION SET NLS_COMP = BINARY",
	"ALTER SESSION SET NLS_LENGTH_SEMANTICS = BYTE",
}

// session sets a connection up. schema may be empty.
func session(ctx context.Context, db *sql.DB, schema string) (*sql.Conn, error) {
	list := settings
	if schema != "" {
		list = append(list[:len(list):len(list)], "ALTER SESSION SET CURRENT_SCHEMA = "+quote(schema))
	}
	return wire.Connect(ctx, db, list...)
}

const (
	identitySQL = "SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'), SYS_CONTEXT('USERENV', 'SESSION_USER') FROM DUAL"
	versionSQL  = "SELECT MAX(version) FROM product_component_version WHERE product LIKE 'Oracle%'"
	charsetSQL  = "SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'"
)

// identify asks what the server is.
func identify(ctx context.Context, q sqlengine.Queryer) (s server, err error) {
	err = sqlengine.Each(ctx, q, identitySQL, func(row []string) error {
		s.owner, s.user = row[0], row[1]
		return nil
	})
	if err != nil {
		return s, err
	}
	err = sqlengine.Each(ctx, q, versionSQL, func(row []string) error {
		s.version, s.release = row[0], parseRelease(row[0])
		return nil
	})
	if err != nil {
		return s, err
	}
	err = sqlengine.Each(ctx, q, charsetSQL, func(row []string) error {
		s.unicode = row[0] == "AL32UTF8" || row[0] == "UTF8"
		return nil
	})
	if err == nil && s.release < 1201 {
		err = fmt.Errorf("%w: Oracle %s is too old; releases from 12.1 on are known", database.ErrRefused, s.version)
	}
	return s, err
}

func parseRelease(version string) int {
	parts := strings.SplitN(version+".0.0", ".", 3)
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return 100*major + minor
}
