// Package s3test starts real S3 servers for tests: versitygw as a child process, over http or over
// TLS with a private CA, on a free port of 127.0.0.1. It also has a proxy that counts and delays
// requests.
//
// It looks for the program in $PATH and in .bin at the root of the module; `go build -C tools -o
// ../.bin/ tool` puts it there. Without it a test is skipped, or fails if CI is "true".
package s3test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/packstone/packstone/pipeline/remote/servertest"
)

const (
	accessKey    = "packadmin"
	secretKey    = "packadmin-secret"
	region       = "us-east-1"
	startTimeout = 30 * time.Second
)

// Options choose how a server runs.
type Options struct {
	TLS  bool // https with a certificate of a CA that is made for this server
	Args []string
}

// Server is one running versitygw with a directory of its own. Its fields are read-only.
type Server struct {
	Endpoint  string // http://127.0.0.1:PORT or https://…
	Host      string // 127.0.0.1:PORT
	Region    string
	AccessKey string // of the root user
	SecretKey string
	CAs       *x509.CertPool // that its certificate can be checked with; nil over http
	CAFile    string         // the same in a PEM file; empty over http
	Dir       string         // its data: one directory for each bucket

	args    []string
	program string
	log     string
	mu      sync.Mutex
	process *process
}

// Start runs a fresh server until the test ends.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	program, err := find("versitygw")
	if err != nil {
		missing(t, err)
	}
	s := &Server{Region: region, AccessKey: accessKey, SecretKey: secretKey, program: program}
	s.prepare(t, opts)
	t.Cleanup(func() {
		s.Kill()
		s.report(t)
	})
	s.startAnywhere(t)
	return s
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// find looks for a program in $PATH, then in .bin beside the go.mod above the working directory.
func find(program string) (string, error) {
	if file, err := exec.LookPath(program); err == nil {
		return filepath.Abs(file)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return exec.LookPath(filepath.Join(dir, ".bin", program))
		}
	}
	return "", fmt.Errorf("%s is neither in $PATH nor in .bin", program)
}

// prepare makes the server's directories, in absolute paths since it changes its own working
// directory.
func (s *Server) prepare(t testing.TB, opts Options) {
	t.Helper()
	base := t.TempDir()
	s.log = filepath.Join(base, "log")
	s.Dir = filepath.Join(base, "data")
	iam, versions := filepath.Join(base, "iam"), filepath.Join(base, "versions")
	for _, dir := range []string{s.Dir, iam, versions} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.args = append([]string{"--quiet", "--region", region, "--iam-dir", iam}, opts.Args...)
	s.Endpoint = "http://"
	if opts.TLS {
		certFile, keyFile := filepath.Join(base, "cert.pem"), filepath.Join(base, "key.pem")
		s.CAFile = filepath.Join(base, "ca.pem")
		pool, err := writeCertificates(s.CAFile, certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		s.CAs, s.Endpoint = pool, "https://"
		s.args = append(s.args, "--cert", certFile, "--key", keyFile)
	}
	s.args = append(s.args, "posix", "--versioning-dir", versions, s.Dir)
}

// startAnywhere starts the server on a free port. If another process takes the port first, it tries
// the next one.
func (s *Server) startAnywhere(t testing.TB) {
	t.Helper()
	scheme := s.Endpoint
	var err error
	for range 5 {
		s.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(servertest.FreePort(t)))
		s.Endpoint = scheme + s.Host
		if err = s.start(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// start runs the server at s.Host and returns when it listens.
func (s *Server) start() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, append([]string{"--port", s.Host}, s.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.program, err)
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return p.waitListening(s.Host)
}

// PID returns the server's process, 0 when it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}

// Kill ends the server at once, as kill -9 does, and returns when it is gone. Its data remain.
func (s *Server) Kill() { s.end(os.Kill) }

// Stop asks the server to end, and returns when it is gone. Its data remain.
func (s *Server) Stop() { s.end(os.Interrupt) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	p := s.process
	s.process = nil
	s.mu.Unlock()
	if p != nil {
		p.end(signal)
	}
}

// Restart starts the server again, with the same data at the same address. It stops a running
// server first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// report shows the end of the server's log if the test failed.
func (s *Server) report(t testing.TB) {
	if !t.Failed() {
		return
	}
	log, err := os.ReadFile(s.log)
	if err != nil {
		t.Logf("server's log: %v", err)
		return
	}
	t.Logf("server's log ends:\n%s", log[max(0, len(log)-4096):])
}

// Bucket makes a new bucket and returns its name.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name := "bucket-" + strings.ToLower(rand.Text()[:12])
	_, err := s.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name})
	if err != nil {
		t.Fatalf("make bucket %s: %v", name, err)
	}
	return name
}

// LockingBucket makes a new bucket with versions and object locks, without a default, and returns
// its name.
func (s *Server) LockingBucket(t testing.TB) string {
	t.Helper()
	name := "bucket-" + strings.ToLower(rand.Text()[:12])
	_, err := s.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true)})
	if err != nil {
		t.Fatalf("make bucket %s: %v", name, err)
	}
	return name
}

// LockNew locks new objects of a bucket for a day, in the mode GOVERNANCE.
func (s *Server) LockNew(t testing.TB, bucket string) {
	t.Helper()
	rule := &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}}
	_, err := s.Client().PutObjectLockConfiguration(context.Background(), &s3.PutObjectLockConfigurationInput{Bucket: &bucket,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled, Rule: rule}})
	if err != nil {
		t.Fatalf("lock new objects of %s: %v", bucket, err)
	}
}

// Client returns an S3 client with the root user's keys, for what a test has to arrange or look at
// itself.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:   httpClient(s.CAs),
	})
}

// process is a child with a goroutine that waits for it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is gone
}

func (p *process) end(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may be gone already
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// waitListening returns when the child accepts connections; if that fails, the child is gone.
func (p *process) waitListening(host string) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", host)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return errors.New("the server ended at once")
		case <-time.After(5 * time.Millisecond):
		}
	}
	p.end(os.Kill)
	return fmt.Errorf("the server does not listen at %s after %v", host, startTimeout)
}
