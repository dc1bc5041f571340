package page

import (
	"crypto/tls"
	"fmt"
	"net"
)

// WithTLS serves what a listener accepts by TLS, with the certificate in two files.
func WithTLS(listener net.Listener, certFile, keyFile string) (net.Listener, error) {
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate (serve.tls_cert_file and serve.tls_key_file): %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}), nil
}
