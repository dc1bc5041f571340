// Command countproxy stands in front of an S3 server, counts requests, and can make the server slow
// and distant:
//
//	countproxy -listen 127.0.0.1:9100 -target http://127.0.0.1:7070 -latency 50ms -rate 12500000
//
// When interrupted it prints its counts as JSON. GET /.counts returns them, and POST /.reset sets
// them to zero.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/packstone/packstone/archive/store/s3test/proxy"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "countproxy:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:9100", "`address` to listen at")
	target := flag.String("target", "", "`URL` of the server")
	ca := flag.String("ca", "", "PEM `file` of the server's CA, instead of the system's")
	latency := flag.Duration("latency", 0, "`time` to wait before each request")
	bytesPerSecond := flag.Int64("rate", 0, "`bytes` per second, in each direction")
	flag.Parse()

	cas, err := pool(*ca)
	if err != nil {
		return err
	}
	p, err := proxy.New(proxy.Options{Target: *target, CAs: cas, Latency: *latency, BytesPerSecond: *bytesPerSecond})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, handler(p)); err != nil {
		return err
	}
	return report(os.Stdout, p)
}

func pool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

func handler(p *proxy.Proxy) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p)
	mux.HandleFunc("GET /.counts", func(w http.ResponseWriter, _ *http.Request) { _ = report(w, p) })
	mux.HandleFunc("POST /.reset", func(http.ResponseWriter, *http.Request) { p.Reset() })
	return mux
}

func serve(ctx context.Context, listen string, handler http.Handler) error {
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func report(w io.Writer, p *proxy.Proxy) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p.Counts())
}
