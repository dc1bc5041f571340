package sqlserver

import (
	"context"
	"database/sql/driver"
	"net"
	"sync"
	"time"

	client "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// connector connects as the client does, but no longer than the context allows: while the client
// waits for the server's first words it does not look at the context.
type connector struct {
	*client.Connector
	dsn string
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	config, err := msdsn.Parse(c.dsn)
	if err != nil {
		return nil, err
	}
	one := client.NewConnectorConfig(config)
	d := &dialer{keepAlive: config.KeepAlive}
	one.Dialer = d
	stop := context.AfterFunc(ctx, d.hangUp)
	defer stop()
	return one.Connect(ctx)
}

// dialer remembers what it has dialed.
type dialer struct {
	keepAlive time.Duration

	mu    sync.Mutex
	conns []net.Conn
	over  bool
}

// DialContext implements the client's Dialer.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: d.keepAlive}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		conn.Close()
	}
	d.conns = append(d.conns, conn)
	return conn, nil
}

// hangUp closes all connections, also those that are still to come.
func (d *dialer) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	for _, conn := range d.conns {
		conn.Close()
	}
}
