package page

import (
	"crypto/tls"
	"fmt"
	"net"
)

// Certificate reads a certificate and its key from two files, nil if none are named.
func Certificate(certFile, keyFile string) (*tls.Certificate, error) {
	if certFile == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate (serve.tls_cert_file and serve.tls_key_file): %w", err)
	}
	return &certificate, nil
}

// WithTLS serves what a listener accepts by TLS, with a certificate; without one as it comes.
func WithTLS(listener net.Listener, certificate *tls.Certificate) net.Listener {
	if certificate == nil {
		return listener
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{*certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
}
