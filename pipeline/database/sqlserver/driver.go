package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	client "github.com/microsoft/go-mssqldb"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// Driver opens SQL Server databases:
//
//	sqlserver://user@host:1433?database=NAME
//	sqlserver://user@host/INSTANCE?database=NAME
//
// Other parameters are those of the client (encrypt, TrustServerCertificate, …).
type Driver struct{}

// OpenSource opens a snapshot; see [database.Driver].
func (Driver) OpenSource(ctx context.Context, at database.Location, opts database.SourceOptions) (database.Source, error) {
	db, err := open(at)
	if err != nil {
		return nil, err
	}
	s, err := openSource(ctx, db, opts)
	if err != nil {
		db.Close()
		return nil, at.Wrap("open a snapshot of", err)
	}
	return s, nil
}

// OpenTarget connects; see [database.Driver].
func (Driver) OpenTarget(ctx context.Context, at database.Location, _ database.TargetOptions) (database.Target, error) {
	db, err := open(at)
	if err != nil {
		return nil, err
	}
	t, err := openTarget(ctx, db)
	if err != nil {
		db.Close()
		return nil, at.Wrap("connect to", err)
	}
	return t, nil
}

func open(at database.Location) (*sql.DB, error) {
	dsn, err := clientURL(at)
	if err != nil {
		return nil, err
	}
	parsed, err := client.NewConnector(dsn)
	if err != nil {
		return nil, at.Wrap("parse the URL of", err)
	}
	return sql.OpenDB(connector{parsed, dsn}), nil
}

func clientURL(at database.Location) (string, error) {
	u, err := url.Parse(at.Reveal())
	if err != nil || u.Scheme != "sqlserver" {
		return "", at.Wrap("parse the URL of", errors.New("it must look like sqlserver://user@host:1433?database=NAME"))
	}
	query := u.Query()
	if query.Get("database") == "" {
		return "", at.Wrap("parse the URL of", errors.New("it must name a database, as in ?database=NAME"))
	}
	if password := query.Get("password"); password != "" {
		u.User = url.UserPassword(u.User.Username(), password)
		query.Del("password")
	}
	if !query.Has("app name") {
		query.Set("app name", "packstone")
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Error numbers of the server that mean something to us.
const (
	errNull           = 515
	errOverflow       = 8115
	errTruncated      = 2628
	errTruncatedOld   = 8152
	errUniqueIndex    = 2601
	errUniqueKey      = 2627
	errCascades       = 1785
	errConflict       = 547
	errSnapshotDDL    = 3961
	errSnapshotOff    = 3952
	errLogin          = 18456
	errNoDatabase     = 4060
	errConversion     = 245
	errDateRange      = 242
	errIndexDuplicate = 1505
)

// errStream stands for a stream of the server that cannot be followed.
const errStream = -1

// number is the server's error number; 0 if err is not the server's.
func number(err error) int {
	var server client.Error
	if errors.As(err, &server) {
		return int(server.Number)
	}
	if stream := new(client.StreamError); errors.As(err, stream) {
		return errStream
	}
	return 0
}

var wire = sqlengine.Client{Engine: database.SQLServer, Number: number, Explain: explain}

// explain puts the seam's sentinel, or a plain word, on an error of the server.
func explain(n int, err error) error {
	switch n {
	case errNull, errOverflow, errTruncated, errTruncatedOld, errUniqueIndex, errUniqueKey, errIndexDuplicate, errConflict, errConversion, errDateRange:
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	case errLogin, errNoDatabase, errStream:
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	case errSnapshotDDL:
		return fmt.Errorf("a table was changed by DDL after the snapshot began; read it again: %w", err)
	case errSnapshotOff:
		return fmt.Errorf("%w: %w", errNoSnapshot, err)
	}
	return err
}

func translate(err error) error { return wire.Translate(err) }

// lost says that the connection is gone.
func lost(err error) bool { return wire.Lost(err) }

func quote(name string) string     { return database.Quote(database.SQLServer, name) }
func quoteText(text string) string { return database.QuoteText(database.SQLServer, text) }

func qualified(schema, name string) string { return quote(schema) + "." + quote(name) }

// server is what we know about the other side.
type server struct {
	version   string
	major     int
	name      string // of the database
	collation string
}

const (
	settingsSQL = "SET LANGUAGE us_english; SET DATEFORMAT ymd; SET ANSI_NULLS ON; SET ANSI_NULL_DFLT_ON ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; SET XACT_ABORT OFF; SET LOCK_TIMEOUT -1; SET TEXTSIZE -1"
	serverSQL   = "SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')), DB_NAME(), CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Collation'))"
)

// session sets a connection up.
func session(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	return wire.Connect(ctx, db, settingsSQL)
}

// identify asks what the server is, and refuses what we do not read or fill.
func identify(ctx context.Context, q sqlengine.Queryer) (s server, err error) {
	err = sqlengine.Each(ctx, q, serverSQL, func(row []string) error {
		s.version, s.name, s.collation = row[0], row[1], row[2]
		return nil
	})
	if err != nil {
		return s, translate(err)
	}
	major, _, _ := strings.Cut(s.version, ".")
	s.major, _ = strconv.Atoi(major)
	switch {
	case s.major < 13:
		return s, fmt.Errorf("%w: SQL Server %s is too old; releases from 2016 (13.0) on are known", database.ErrRefused, s.version)
	case s.name == "master" || s.name == "model" || s.name == "msdb" || s.name == "tempdb":
		return s, fmt.Errorf("%w: %s is a database of the server itself", database.ErrRefused, s.name)
	}
	return s, nil
}
