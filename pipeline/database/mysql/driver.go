package mysql

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// Driver opens MySQL and MariaDB databases:
//
//	mysql://user@host:3306/name
//	mysql://user@/name?socket=/run/mysqld/mysqld.sock
//
// The parameter tls is preferred (the default: encrypted where the server can,
// its certificate unchecked), true, skip-verify or false; tls-ca names a file of
// certificates to trust, and means true.
type Driver struct{}

// OpenSource opens a snapshot; see [database.Driver].
func (Driver) OpenSource(ctx context.Context, at database.Location, opts database.SourceOptions) (database.Source, error) {
	config, err := configure(at)
	if err != nil {
		return nil, err
	}
	s, err := openSource(ctx, config, opts)
	if err != nil {
		return nil, at.Wrap("open a snapshot of", translate(err))
	}
	return s, nil
}

// OpenTarget connects; see [database.Driver].
func (Driver) OpenTarget(ctx context.Context, at database.Location, opts database.TargetOptions) (database.Target, error) {
	config, err := configure(at)
	if err != nil {
		return nil, err
	}
	t, err := openTarget(ctx, config, opts)
	if err != nil {
		return nil, at.Wrap("connect to", translate(err))
	}
	return t, nil
}

// configure turns a URL into the client's configuration.
func configure(at database.Location) (*client.Config, error) {
	u, err := url.Parse(at.Reveal())
	if err != nil {
		return nil, at.Wrap("parse the URL of", errors.New("it is not a valid URL"))
	}
	config := client.NewConfig()
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	if config.DBName == "" || strings.Contains(config.DBName, "/") {
		return nil, at.Wrap("parse the URL of", errors.New("it must name one database, as in mysql://user@host/name"))
	}
	config.Net, config.Addr = "tcp", net.JoinHostPort(or(u.Hostname(), "127.0.0.1"), or(u.Port(), "3306"))
	config.Logger = silent{}
	config.MaxAllowedPacket = 0 // the client asks the server
	config.DialFunc = dial
	if err := parameters(config, u.Query()); err != nil {
		return nil, at.Wrap("parse the URL of", err)
	}
	return config, nil
}

func parameters(config *client.Config, query url.Values) error {
	config.TLSConfig = "preferred"
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "socket":
			config.Net, config.Addr = "unix", value
		case "password":
			config.Passwd = value
		case "tls":
			config.TLSConfig = value
		case "tls-ca":
			pool, err := authorities(value)
			if err != nil {
				return err
			}
			host, _, _ := net.SplitHostPort(config.Addr)
			config.TLS = &tls.Config{RootCAs: pool, ServerName: host}
		default:
			return fmt.Errorf("the parameter %q is unknown; socket, tls and tls-ca are known", name)
		}
	}
	switch config.TLSConfig {
	case "preferred", "true", "skip-verify", "false":
		return nil
	}
	return fmt.Errorf("tls=%s is unknown; it can be preferred, true, skip-verify or false", config.TLSConfig)
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the certificates to trust: %s holds none", file)
	}
	return pool, nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

type silent struct{}

// Print implements the driver's logger.
func (silent) Print(...any) {}

// readAhead is how much a connection reads at a time. The client by itself asks
// for 4 KiB, a system call for a few rows.
const readAhead = 64 << 10

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &bufferedConn{Conn: conn, in: bufio.NewReaderSize(conn, readAhead)}, nil
}

type bufferedConn struct {
	net.Conn
	in *bufio.Reader
}

// Read implements io.Reader.
func (c *bufferedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// stall is how long a server may take in nothing before we look whether it is
// still there.
const stall = 2 * time.Second

// Write notices a server that hung up while it still had data to take in: TCP
// itself may need minutes for that, since the server's window is closed.
func (c *bufferedConn) Write(p []byte) (done int, err error) {
	for {
		c.SetWriteDeadline(time.Now().Add(stall))
		n, err := c.Conn.Write(p[done:])
		done += n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if c.hungUp() {
			return done, io.ErrUnexpectedEOF
		}
	}
}

// hungUp looks for the end of what the server sends, which stays readable.
// Nobody else reads while we write.
func (c *bufferedConn) hungUp() bool {
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	defer c.SetReadDeadline(time.Time{})
	_, err := c.in.Peek(min(c.in.Buffered()+1, readAhead))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Error numbers of the server that mean something to us.
const (
	errDatabaseDenied  = 1044
	errAccessDenied    = 1045
	errUnknownDatabase = 1049
	errTableExists     = 1050
	errUnknownColumn   = 1054
	errDuplicate       = 1062
	errUnknownTable    = 1146
	errNoKey           = 1176 // and an index hint on a view
	errNoGrant         = 1141
	errTableDenied     = 1142
	errUnknownVariable = 1193
	errLockTimeout     = 1205
	errPrivilege       = 1227
	errWrongScope      = 1238
	errCannotExecute   = 1290
	errDefinerMissing  = 1449
	errChanged         = 1412
)

// number is the server's error number; 0 if err is not the server's.
func number(err error) uint16 {
	var server *client.MySQLError
	if errors.As(err, &server) {
		return server.Number
	}
	return 0
}

// translate puts the seam's sentinel on an error.
func translate(err error) error {
	if errors.Is(err, database.ErrUnreachable) {
		return err
	}
	switch number(err) {
	case errDatabaseDenied, errAccessDenied, errUnknownDatabase:
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	case errChanged:
		return fmt.Errorf("a table was changed by DDL after the snapshot began; read it again: %w", err)
	case errDuplicate:
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	case 0:
		var network net.Error
		if errors.As(err, &network) || errors.Is(err, client.ErrInvalidConn) {
			return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
		}
	}
	return err
}

// denied says that a privilege is missing.
func denied(err error) bool {
	switch number(err) {
	case errDatabaseDenied, errAccessDenied, errTableDenied, errPrivilege, errCannotExecute:
		return true
	}
	return false
}

// parentless says that the table, or a column, to which a foreign key refers is gone, or that a
// view is in its place.
func parentless(err error) bool {
	return number(err) == errUnknownTable || number(err) == errUnknownColumn || errors.Is(err, errMoving)
}

func quote(name string) string     { return database.Quote(database.MySQL, name) }
func quoteText(text string) string { return database.QuoteText(database.MySQL, text) }
